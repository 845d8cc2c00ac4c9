package webhook

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"sync"

	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// buffers lends each delivery a buffer for its body, which is most of the memory that a
// delivery needs. A buffer that was given back is overwritten by another delivery, so
// nothing that outlives a delivery may share memory with its body.
type buffers struct{ pool sync.Pool }

// borrow returns an empty buffer. The caller gives it back once nothing reads its bytes.
func (b *buffers) borrow() *bytes.Buffer {
	if used, ok := b.pool.Get().(*bytes.Buffer); ok {
		used.Reset()
		return used
	}
	return new(bytes.Buffer)
}

func (b *buffers) giveBack(buffer *bytes.Buffer) { b.pool.Put(buffer) }

// readBody reads the body into the buffer, whose memory the result may share. It checks
// both the declared length, so that an oversized payload is rejected before any of it is
// decoded, and the actual one.
func readBody(r *http.Request, buffer *bytes.Buffer) ([]byte, error) {
	if r.ContentLength > surgical.MaxWebhookBody {
		return nil, tooLarge()
	}
	buffer.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead)
	if _, err := buffer.ReadFrom(io.LimitReader(r.Body, surgical.MaxWebhookBody+1)); err != nil {
		return nil, problem.Malformed(surgical.WrapError(surgical.CodeInvalidRequest, err, "the body cannot be read or is not valid base64"))
	}
	if buffer.Len() > surgical.MaxWebhookBody {
		return nil, tooLarge()
	}
	return unwrapped(buffer.Bytes()), nil
}

func tooLarge() error {
	return surgical.NewError(surgical.CodePayloadTooLarge, fmt.Sprintf("the payload is larger than %d bytes", surgical.MaxWebhookBody))
}

// unwrapped decodes a JSON object that a proxy encoded in base64 without saying so.
// GitLab signed what was encoded. Base64 has no braces, so nothing else can be meant.
func unwrapped(body []byte) []byte {
	text := bytes.TrimSpace(body)
	if len(text) == 0 || bytes.ContainsAny(text, "{}[]\"") {
		return body
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(decoded, text)
	if err != nil || !bytes.HasPrefix(bytes.TrimSpace(decoded[:n]), []byte("{")) {
		return body
	}
	return decoded[:n]
}
