package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type entry struct {
	Name, Content string
	Mode          fs.FileMode
	Modified      string
}

func TestArchives_KeepNamesModesAndTheTimeAndAreEqualEverywhere(t *testing.T) {
	files := []file{{"a/lore", 0o755, bytes.Repeat([]byte("program "), 1000)}, {"a/LICENSE", 0o644, []byte("text\n")}}
	at := time.Date(2026, 11, 29, 18, 30, 12, 0, time.UTC)
	var want []entry
	for _, f := range files {
		want = append(want, entry{f.name, string(f.content), f.mode, "2026-11-29T18:30:12Z"})
	}
	for name, c := range map[string]struct {
		pack   func([]file, time.Time) ([]byte, error)
		unpack func(*testing.T, []byte) []entry
	}{"tar.gz": {tarGz, untar}, "zip": {zipped, unzip}} {
		t.Run(name, func(t *testing.T) {
			packed, err := c.pack(files, at)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, c.unpack(t, packed)); diff != "" {
				t.Errorf("unpacked (-want +got):\n%s", diff)
			}
			elsewhere, err := c.pack(files, at.In(time.FixedZone("there", 5*60*60+1800)))
			if err != nil || !bytes.Equal(packed, elsewhere) {
				t.Errorf("the archive depends on the time zone, error %v", err)
			}
		})
	}
}

func untar(t *testing.T, packed []byte) (all []entry) {
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" {
			t.Errorf("%+v, error %v", h, err)
		}
		all = append(all, entry{h.Name, string(content), h.FileInfo().Mode(), h.ModTime.UTC().Format(time.RFC3339)})
	}
}

func unzip(t *testing.T, packed []byte) (all []entry) {
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{f.Name, string(content), f.Mode(), f.Modified.UTC().Format(time.RFC3339)})
	}
	return all
}
