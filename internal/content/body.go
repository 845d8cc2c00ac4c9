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
	var packed []byte
	for _, b := range bodies {
		packed = append(packed, b.Zstd...)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(bodyLimit))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	defer decoder.Close()
	text, err := decoder.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("unpack %d items: %w", len(bodies), err)
	}
	return text, nil
}
