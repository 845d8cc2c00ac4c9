package search

import (
	"fmt"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ChunkID identifies a chunk in an index: <project>#<type>#<iid>/<document>/<chunk>.
func ChunkID(ref surgical.EntityRef, document string, chunk int) string {
	return ref.Key() + "/" + document + "/" + strconv.Itoa(chunk)
}

// ParseChunkID is the inverse of [ChunkID].
func ParseChunkID(id string) (ref surgical.EntityRef, document string, chunk int, err error) {
	entity, rest, ok := strings.Cut(id, "/")
	slash := strings.LastIndexByte(rest, '/')
	if !ok || slash < 0 {
		return ref, "", 0, fmt.Errorf("%q is not the id of a chunk", id)
	}
	if ref, err = surgical.ParseEntityRef(entity); err != nil {
		return ref, "", 0, fmt.Errorf("%q is not the id of a chunk: %w", id, err)
	}
	if chunk, err = strconv.Atoi(rest[slash+1:]); err != nil {
		return ref, "", 0, fmt.Errorf("%q is not the id of a chunk", id)
	}
	return ref, rest[:slash], chunk, nil
}
