package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/klauspost/compress/zstd"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
)

// newKey returns a key that no other writer uses.
func newKey(kind string) string { return kind + "/" + newName() }

// newName returns a name that nobody else uses.
func newName() string { return strings.ToLower(rand.Text()) }

// put stores an object under a new key.
func (e *Engine) put(ctx context.Context, kind string, body io.ReadSeeker) (manifest.Object, error) {
	hash := sha256.New()
	size, err := io.Copy(hash, body)
	if err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	if err != nil {
		return manifest.Object{}, fmt.Errorf("read what to store: %w", err)
	}
	o := manifest.Object{Key: newKey(kind), Bytes: size, SHA256: hash.Sum(nil)}
	if o.ETag, err = e.Objects.Put(ctx, o.Key, body, size, o.SHA256); err != nil {
		return o, fmt.Errorf("store an object of the index: %w", err)
	}
	return o, nil
}

// open opens an object whose reader fails with [search.ErrDamaged] at its end if the
// content is not what was written.
func (e *Engine) open(ctx context.Context, o manifest.Object) (io.ReadCloser, error) {
	body, err := e.Objects.Get(ctx, o.Key)
	switch {
	case errors.Is(err, bucket.ErrNone):
		return nil, fmt.Errorf("object %s: %w (%w)", o.Key, search.ErrDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("read an object of the index: %w", err)
	}
	return &checked{body: body, hash: sha256.New(), object: o}, nil
}

// checked hashes what is read.
type checked struct {
	body io.ReadCloser
	hash interface {
		io.Writer
		Sum([]byte) []byte
	}
	size   int64
	object manifest.Object
}

// Read implements [io.Reader].
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	_, _ = c.hash.Write(p[:n]) // a hash never fails
	c.size += int64(n)
	if errors.Is(err, io.EOF) || c.size > c.object.Bytes {
		if c.size != c.object.Bytes || !bytes.Equal(c.hash.Sum(nil), c.object.SHA256) {
			return n, fmt.Errorf("object %s does not have the content that was written: %w", c.object.Key, search.ErrDamaged)
		}
	}
	return n, err
}

// Close implements [io.Closer].
func (c *checked) Close() error { return c.body.Close() }

// finish reads what is left, so that the checksum is compared.
func finish(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
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

// unpack yields the values of an object that [packed] made. Nothing of a damaged one may
// be used: its error comes last.
func unpack[T any](ctx context.Context, e *Engine, o manifest.Object) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		body, err := e.open(ctx, o)
		if err != nil {
			yield(none, err)
			return
		}
		defer body.Close()
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			yield(none, fmt.Errorf("zstd: %w", err))
			return
		}
		defer z.Close()
		for lines := json.NewDecoder(z); ; {
			var value T
			err := lines.Decode(&value)
			if errors.Is(err, io.EOF) {
				if err := finish(body); err != nil {
					yield(none, damage(o, err))
				}
				return
			}
			if err != nil {
				yield(none, damage(o, err))
				return
			}
			if !yield(value, nil) {
				return
			}
		}
	}
}

// damage returns the error of an object that cannot be decoded. Another failure, such as
// of the connection, stays what it is.
func damage(o manifest.Object, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, zstd.ErrMagicMismatch) || errors.Is(err, zstd.ErrCRCMismatch) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("object %s: %w (%w)", o.Key, search.ErrDamaged, err)
	}
	return err
}
