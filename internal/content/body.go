package content

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// bodyLimit bounds the decompressed size of a text.
const bodyLimit = 256 << 20

// body is what one item holds of the text of a child or document: all of it, or a
// compressed piece. Earlier versions compressed a text as a whole, and each item
// holds a segment of that.
type body struct {
	Text string `dynamodbav:"text,omitempty"`
	Zstd []byte `dynamodbav:"zstd,omitempty"`
}

// joinBodies returns the text. Compressed pieces are zstd frames, which can be
// joined before they are decompressed; segments have to be.
func joinBodies(bodies []body) ([]byte, error) {
	if len(bodies) == 1 && bodies[0].Zstd == nil {
		return []byte(bodies[0].Text), nil
	}
	if len(bodies) == 0 {
		return nil, errors.New("a text of no items")
	}
	size := 0
	for _, b := range bodies {
		size += len(b.Zstd)
	}
	packed := make([]byte, 0, size)
	for _, b := range bodies {
		packed = append(packed, b.Zstd...)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(bodyLimit))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	defer decoder.Close()
	text, err := decoder.DecodeAll(packed, make([]byte, 0, unpackedSize(bodies)))
	if err != nil {
		return nil, fmt.Errorf("unpack %d items: %w", len(bodies), err)
	}
	return text, nil
}

// unpackedSize returns the length of a text in pieces, as their frames state it. Of
// segments it is too little, which costs a larger copy.
func unpackedSize(bodies []body) int {
	size := uint64(0)
	for _, b := range bodies {
		var frame zstd.Header
		if frame.Decode(b.Zstd) == nil && frame.HasFCS {
			size += frame.FrameContentSize
		}
	}
	return int(min(size, bodyLimit))
}
