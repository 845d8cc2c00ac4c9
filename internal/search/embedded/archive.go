package embedded

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/blevesearch/bleve/v2"
	"github.com/klauspost/compress/zstd"

	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
)

// pack writes the index to a file in the directory, compacted.
func (t *texts) pack(ctx context.Context, dir string) (*os.File, error) {
	if err := t.compact(ctx); err != nil {
		return nil, err
	}
	copied := filepath.Join(dir, "copied")
	source, ok := t.index.(bleve.IndexCopyable)
	if !ok {
		return nil, fmt.Errorf("copy the index: it is a %T", t.index)
	}
	if err := source.CopyTo(bleve.FileSystemDirectory(copied)); err != nil {
		return nil, fmt.Errorf("copy the index: %w", err)
	}
	file, err := os.Create(filepath.Join(dir, "texts.tar.zst"))
	if err != nil {
		return nil, fmt.Errorf("pack the index: %w", err)
	}
	if err := archive(file, copied); err != nil {
		return nil, errors.Join(fmt.Errorf("pack the index: %w", err), file.Close())
	}
	_, err = file.Seek(0, io.SeekStart)
	return file, err
}

// archive writes the files under dir.
func archive(w io.Writer, dir string) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	out := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := out.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Size: info.Size(), Mode: 0o600}); err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(out, file)
		return err
	})
	return errors.Join(err, out.Close(), z.Close())
}

// openBase unpacks the index of a base into a new directory and opens it. A directory
// that was not unpacked to its end is removed, never opened. What was unpacked is intact, so
// if it cannot be opened, for want of memory or files, it is not damaged.
func (e *Engine) openBase(ctx context.Context, o manifest.Object, analyzer *language.Analyzer, durable bool) (_ *texts, err error) {
	dir, err := os.MkdirTemp(e.dir, "base-")
	if err != nil {
		return nil, fmt.Errorf("unpack the index: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	body, err := e.open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if err := body.check(extract(body, filepath.Join(dir, indexDir))); err != nil {
		return nil, fmt.Errorf("unpack the index: %w", err)
	}
	return openTexts(dir, analyzer, durable)
}

// extract writes the files of an archive under dir.
func extract(body io.Reader, dir string) error {
	z, err := zstd.NewReader(body, zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	defer z.Close()
	for in := tar.NewReader(z); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(header.Name) {
			return fmt.Errorf("the archive has a file %q", header.Name)
		}
		if err := write(filepath.Join(dir, filepath.FromSlash(header.Name)), in); err != nil {
			return err
		}
	}
}

func write(path string, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
