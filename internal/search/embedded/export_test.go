package embedded

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"gitlab.com/lorehook/lorehook/internal/search/language"
)

// Has reports whether an object has a word of English: among the terms of an index, or
// anywhere in the bytes of what is packed.
func Has(key string, content []byte, word, dir string) (bool, error) {
	z, err := zstd.NewReader(nil)
	if err != nil {
		return false, err
	}
	defer z.Close()
	plain := content
	if !strings.HasPrefix(key, "vectors/") {
		if plain, err = z.DecodeAll(content, nil); err != nil {
			return false, err
		}
	}
	if !strings.HasPrefix(key, "texts/") || bytes.Contains(plain, []byte(word)) {
		return bytes.Contains(plain, []byte(word)), nil
	}
	if err := extract(bytes.NewReader(content), filepath.Join(dir, indexDir)); err != nil {
		return false, err
	}
	analyzer, err := language.New("en")
	if err != nil {
		return false, err
	}
	t, err := openTexts(dir, analyzer, false)
	if err != nil {
		return false, err
	}
	defer t.close()
	terms, err := t.index.FieldDict(textField)
	if err != nil {
		return false, err
	}
	defer terms.Close()
	stem := analyzer.Words(word)[0].Term
	for {
		entry, err := terms.Next()
		if err != nil || entry == nil {
			return false, err
		}
		if entry.Term == stem {
			return true, nil
		}
	}
}

// CompactNow compacts the index although that is not due.
func (e *Engine) CompactNow(ctx context.Context) error {
	m, err := e.Manifests.Read(ctx)
	if err != nil {
		return err
	}
	return e.compact(ctx, m)
}
