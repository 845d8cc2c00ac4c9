package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
)

// newKey returns a key that no other writer uses.
func newKey(kind string) string { return kind + "/" + newName() }

// newName returns a name that nobody else uses.
func newName() string { return strings.ToLower(rand.Text()) }

// put stores an object under a new key.
func (e *Engine) put(ctx context.Context, kind string, body io.ReadSeeker) (manifest.Object, error) {
	sum := sha256.New()
	size, err := io.Copy(sum, body)
	if err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	if err != nil {
		return manifest.Object{}, fmt.Errorf("read what to store: %w", err)
	}
	o := manifest.Object{Key: newKey(kind), Bytes: size, SHA256: sum.Sum(nil)}
	if o.ETag, err = e.Objects.Put(ctx, o.Key, body, size, o.SHA256); err != nil {
		return o, fmt.Errorf("store an object of the index: %w", err)
	}
	return o, nil
}

// open opens an object. Nothing of its content may be used before [content.check] said that
// it is what was written.
func (e *Engine) open(ctx context.Context, o manifest.Object) (*content, error) {
	body, err := e.Objects.Get(ctx, o.Key)
	switch {
	case errors.Is(err, bucket.ErrNone):
		return nil, fmt.Errorf("object %s: %w (%w)", o.Key, search.ErrDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("read an object of the index: %w", err)
	}
	return &content{body: body, hash: sha256.New(), object: o}, nil
}

// content is what is read of an object.
type content struct {
	body   io.ReadCloser
	object manifest.Object

	// mu is held by each reading: a decoder that was closed may not have ended yet.
	mu   sync.Mutex
	hash hash.Hash
	size int64
	// lost is why the body cannot be read to its end; nil if it can.
	lost error
}

// Read implements [io.Reader]. Of more than what was written, it reads little.
func (c *content) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.lost != nil:
		return 0, c.lost
	case c.size > c.object.Bytes:
		return 0, io.EOF
	}
	n, err := c.body.Read(p)
	_, _ = c.hash.Write(p[:n]) // a hash never fails
	c.size += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.lost = outage.Unavailable(err, "an object of the search index was not sent to its end")
		err = c.lost
	}
	return n, err
}

// Close implements [io.Closer].
func (c *content) Close() error { return c.body.Close() }

// check reads what is left of the object. If it is not what was written, the error is
// [search.ErrDamaged], and err, with which decoding ended, is a consequence; otherwise err
// is returned. So whatever a decoder makes of a damaged object, only the checksum decides.
func (c *content) check(err error) error {
	_, lost := io.Copy(io.Discard, c)
	switch {
	case lost != nil:
		return lost
	case c.intact():
		return err
	case err != nil:
		return fmt.Errorf("object %s: %w (%w)", c.object.Key, search.ErrDamaged, err)
	}
	return fmt.Errorf("object %s does not have the content that was written: %w", c.object.Key, search.ErrDamaged)
}

// intact reports whether everything that was read is what was written.
func (c *content) intact() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size == c.object.Bytes && bytes.Equal(c.hash.Sum(nil), c.object.SHA256)
}

// packed returns the values as compressed lines of JSON.
func packed[T any](values iter.Seq[T]) (*bytes.Reader, error) {
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	lines := json.NewEncoder(z)
	for value := range values {
		if err := lines.Encode(value); err != nil {
			return nil, fmt.Errorf("encode a part of the index: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return bytes.NewReader(out.Bytes()), nil
}

// maxWindow is how far back a decoder has to look at most, in bytes: a damaged object may
// ask for more memory than there is.
const maxWindow = 8 << 20

// unpack decodes the values of an object that [packed] made, and passes each to add.
// Nothing of them may be used if it fails.
func unpack[T any](ctx context.Context, e *Engine, o manifest.Object, add func(T)) error {
	body, err := e.open(ctx, o)
	if err != nil {
		return err
	}
	defer body.Close()
	return body.check(decodeLines(body, add))
}

// decodeLines decodes compressed lines of JSON.
func decodeLines[T any](r io.Reader, add func(T)) error {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	defer z.Close()
	for lines := json.NewDecoder(z); ; {
		var value T
		switch err := lines.Decode(&value); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("decode a part of the index: %w", err)
		}
		add(value)
	}
}
