package content

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

const (
	// plainLimit is the longest text stored as it is, in bytes.
	plainLimit = 300 << 10
	// segmentLimit is the largest part of a compressed text in one item;
	// DynamoDB takes items of 400 KB with all their attributes.
	segmentLimit = 350 << 10
	// bodyLimit bounds what a segmented text may unpack to.
	bodyLimit = 256 << 20
)

// body is the text of one child or document within one item: as it is, or one
// segment of its zstd frame.
type body struct {
	Text string `dynamodbav:"text,omitempty"`
	Zstd []byte `dynamodbav:"zstd,omitempty"`
}

// splitBody packs text into one or more bodies.
func splitBody(text string) ([]body, error) {
	if len(text) <= plainLimit {
		return []body{{Text: text}}, nil
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	packed := encoder.EncodeAll([]byte(text), nil)
	var bodies []body
	for len(packed) > 0 {
		n := min(segmentLimit, len(packed))
		bodies = append(bodies, body{Zstd: packed[:n]})
		packed = packed[n:]
	}
	return bodies, nil
}

// joinBodies is the inverse of splitBody.
func joinBodies(bodies []body) (string, error) {
	if len(bodies) == 1 && bodies[0].Zstd == nil {
		return bodies[0].Text, nil
	}
	var packed []byte
	for _, b := range bodies {
		packed = append(packed, b.Zstd...)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(bodyLimit))
	if err != nil {
		return "", fmt.Errorf("zstd: %w", err)
	}
	defer decoder.Close()
	text, err := decoder.DecodeAll(packed, nil)
	if err != nil {
		return "", fmt.Errorf("unpack %d segments: %w", len(bodies), err)
	}
	return string(text), nil
}
