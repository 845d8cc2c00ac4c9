package content

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

const (
	// plainLimit is the longest text that is stored uncompressed, in bytes.
	plainLimit = 300 << 10
	// segmentLimit is the most bytes of a compressed text in one item; DynamoDB
	// accepts items of up to 400 KB, attribute names included.
	segmentLimit = 350 << 10
	// bodyLimit bounds the decompressed size of a segmented text.
	bodyLimit = 256 << 20
)

// body is what one item holds of the text of a child or document: the plain
// text, or one segment of its zstd frame.
type body struct {
	Text string `dynamodbav:"text,omitempty"`
	Zstd []byte `dynamodbav:"zstd,omitempty"`
}

// splitBody splits a text into one or more bodies.
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
