package content

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/klauspost/compress/zstd"
	"github.com/restic/chunker"
)

// Long texts are cut where a rolling hash of the text says so (docs/decisions/023).
// Changing one of the numbers is safe, but every long text is then stored again
// when it next changes.
const (
	// plainLimit is the longest text that is stored uncut and uncompressed, in bytes.
	plainLimit = 64 << 10
	// minPiece and maxPiece bound the length of a piece in bytes; only the last one
	// may be shorter. Beyond minPiece a piece ends at each byte with a probability
	// of 1 in 2^pieceBits, so the average is 12 KB.
	minPiece  = 4 << 10
	maxPiece  = 64 << 10
	pieceBits = 13
	// polynomial is that of the rolling hash.
	polynomial = chunker.Pol(0x3DA3358B4DC173)
)

// pieceRef names one stored piece of a long text.
type pieceRef struct {
	// Hash is the first half of the SHA-256 of the piece before compression.
	Hash []byte
	// By is what stored the piece: an attempt id for a child, a [TextToken] for a
	// document.
	By string
}

// newPiece is a piece that is not stored yet. Its text shares the memory of what was
// packed.
type newPiece struct {
	ref  pieceRef
	text []byte
}

// packer cuts texts into pieces and compresses them. Its zero value is ready to use;
// it needs some memory once it has packed a text.
type packer struct {
	chunker        *chunker.Chunker
	encoder        *zstd.Encoder
	piece, scratch []byte
}

func (p *packer) start() (err error) {
	if p.chunker != nil {
		return nil
	}
	if p.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxPiece)); err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	p.chunker = chunker.NewWithBoundaries(nil, polynomial, minPiece, maxPiece)
	return nil
}

// pack returns the pieces of a text, in order. A piece that before contains is
// referred to again. The others are returned in fresh, each once, to be stored by
// the given attempt or token.
//
// before must be what the present version of the same text consists of: only those
// pieces are certain not to expire.
func (p *packer) pack(text []byte, by string, before []pieceRef) (refs []pieceRef, fresh []newPiece, err error) {
	if err := p.start(); err != nil {
		return nil, nil, err
	}
	pieces, err := p.cut(text)
	if err != nil {
		return nil, nil, err
	}
	known := make(map[string]pieceRef, len(before))
	for _, ref := range before {
		known[string(ref.Hash)] = ref
	}
	refs = make([]pieceRef, len(pieces))
	for i, piece := range pieces {
		sum := sha256.Sum256(piece)
		hash := sum[:hashSize]
		ref, stored := known[string(hash)]
		if !stored {
			ref = pieceRef{Hash: hash, By: by}
			known[string(hash)] = ref
			fresh = append(fresh, newPiece{ref, piece})
		}
		refs[i] = ref
	}
	return refs, fresh, nil
}

// compressed returns how the piece is stored, the same bytes each time. They are valid
// until the next call. The packer must have packed it.
func (p *packer) compressed(piece newPiece) []byte {
	p.scratch = p.encoder.EncodeAll(piece.text, p.scratch[:0])
	return p.scratch
}

// cut divides a text; the pieces share its memory.
func (p *packer) cut(text []byte) (pieces [][]byte, err error) {
	p.chunker.ResetWithBoundaries(bytes.NewReader(text), polynomial, minPiece, maxPiece)
	p.chunker.SetAverageBits(pieceBits)
	for {
		next, err := p.chunker.Next(p.piece)
		if errors.Is(err, io.EOF) {
			return pieces, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cut a text of %d bytes: %w", len(text), err)
		}
		p.piece = next.Data
		pieces = append(pieces, text[next.Start:next.Start+next.Length])
	}
}

// without returns the sort keys that are not among others, each once.
func without(sks, others []string) []string {
	seen := make(map[string]bool, len(sks)+len(others))
	for _, sk := range others {
		seen[sk] = true
	}
	var left []string
	for _, sk := range sks {
		if !seen[sk] {
			seen[sk] = true
			left = append(left, sk)
		}
	}
	return left
}

// packedPieces is the stored form of a list of pieces. What stored them is named
// once, in the attribute "stages"; a piece is a list of hash and index.
type packedPieces struct {
	By   []string      `dynamodbav:"stages,omitempty"`
	Refs []packedPiece `dynamodbav:"refs,omitempty"`
}

type packedPiece struct {
	hash []byte
	by   int
}

// MarshalDynamoDBAttributeValue implements attributevalue.Marshaler.
func (p packedPiece) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) {
	return packList(p.hash, p.by), nil
}

// UnmarshalDynamoDBAttributeValue implements attributevalue.Unmarshaler.
func (p *packedPiece) UnmarshalDynamoDBAttributeValue(value types.AttributeValue) (err error) {
	p.hash, err = unpackList(value, &p.by)
	return err
}

func packPieces(refs []pieceRef) packedPieces {
	var by index
	packed := packedPieces{Refs: make([]packedPiece, len(refs))}
	for i, ref := range refs {
		packed.Refs[i] = packedPiece{ref.Hash, by.of(ref.By)}
	}
	packed.By = by.names
	return packed
}

func (p packedPieces) unpack() ([]pieceRef, error) {
	refs := make([]pieceRef, len(p.Refs))
	for i, one := range p.Refs {
		if one.by < 0 || one.by >= len(p.By) {
			return nil, fmt.Errorf("piece %d was stored by number %d of %d", i, one.by, len(p.By))
		}
		refs[i] = pieceRef{Hash: one.hash, By: p.By[one.by]}
	}
	return refs, nil
}
