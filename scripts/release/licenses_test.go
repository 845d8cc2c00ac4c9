package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	isc = `ISC License

Copyright (c) 2026 Somebody

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`
	mit = `MIT License

Copyright (c) 2026 Somebody else

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`
)

// writeFiles writes files below a new directory.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadLicenses_FindsThoseOfWhatIsLinkedOrFails(t *testing.T) {
	scanner, err := newScanner()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files   map[string]string
		license string
		texts   []string
		err     string
	}{
		"one":                              {map[string]string{"LICENSE": mit}, "MIT", []string{"LICENSE"}, ""},
		"other spellings":                  {map[string]string{"Licence.md": mit, "COPYING-ISC.txt": isc}, "ISC AND MIT", []string{"COPYING-ISC.txt", "Licence.md"}, ""},
		"two in one file":                  {map[string]string{"LICENSE": mit + "\n\n" + isc}, "ISC AND MIT", []string{"LICENSE"}, ""},
		"with notices":                     {map[string]string{"LICENSE": mit, "NOTICE": "By somebody.", "PATENTS": "A grant."}, "MIT", []string{"LICENSE", "NOTICE", "PATENTS"}, ""},
		"of a linked package":              {map[string]string{"LICENSE": mit, "a/b/LICENSE": isc}, "ISC AND MIT", []string{"LICENSE", "a/b/LICENSE"}, ""},
		"above a linked package":           {map[string]string{"LICENSE": mit, "a/LICENSE": isc}, "ISC AND MIT", []string{"LICENSE", "a/LICENSE"}, ""},
		"of a package that is not linked":  {map[string]string{"LICENSE": mit, "c/LICENSE": "Proprietary."}, "MIT", []string{"LICENSE"}, ""},
		"source code about licences":       {map[string]string{"LICENSE": mit, "license.go": "package a"}, "MIT", []string{"LICENSE"}, ""},
		"none":                             {map[string]string{"README.md": mit}, "", nil, "has no licence"},
		"only a notice":                    {map[string]string{"NOTICE": "By somebody."}, "", nil, "has no licence"},
		"not accepted":                     {map[string]string{"LICENSE": "GNU AFFERO GENERAL PUBLIC LICENSE Version 3"}, "", nil, "LICENSE is not one of the accepted"},
		"accepted, with a condition added": {map[string]string{"LICENSE": mit + "\nThe Software must not be sold, and must not be used to provide a service to third parties.\n"}, "", nil, "LICENSE is not one of the accepted"},
		"a package's is not accepted":      {map[string]string{"LICENSE": mit, "a/b/LICENSE": "All rights reserved."}, "", nil, "a/b/LICENSE is not one of the accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &module{path: "example.com/m", version: "v1.0.0", dir: writeFiles(t, c.files), packages: map[string]bool{".": true}}
			if err := os.MkdirAll(filepath.Join(m.dir, "a", "b"), 0o755); err != nil {
				t.Fatal(err)
			}
			m.packages[filepath.Join("a", "b")] = true
			err := m.readLicenses(scanner)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "example.com/m v1.0.0") {
					t.Errorf("error %v, want %q of example.com/m v1.0.0", err, c.err)
				}
				return
			}
			var texts []string
			for _, text := range m.texts {
				texts = append(texts, text.path)
			}
			if diff := cmp.Diff(c.texts, texts); diff != "" || m.license != c.license || err != nil {
				t.Errorf("licence %q, error %v, texts (-want +got):\n%s", m.license, err, diff)
			}
		})
	}
}
