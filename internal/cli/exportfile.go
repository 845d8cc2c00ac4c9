package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// lineStart is how each line begins: fields are in the order of their names.
const lineStart = `{"confidential":`

// exportFile is where an export goes: a file, or stdout.
type exportFile struct {
	// name is "" for stdout.
	name string
	w    io.Writer
	file *os.File
	// lines and end are how many entities and bytes it holds, last is the last of them,
	// zero for none.
	lines, end int64
	last       surgical.EntityRef
}

// open opens what the command names. What it exports may be confidential, so a new file
// is readable for its owner only.
func (c *exportCommand) open(s *session) (*exportFile, error) {
	switch {
	case c.Resume != "":
		return resumed(c.Resume)
	case c.Output == "":
		return &exportFile{w: s.Stdout}, nil
	}
	file, err := os.OpenFile(c.Output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, invalid("%s exists: continue it with --resume, or choose another file", c.Output)
	}
	if err != nil {
		return nil, invalid("--output: %v", err)
	}
	return &exportFile{name: c.Output, w: file, file: file}, nil
}

// resumed opens a file that an export left, and cuts off a line that it left unfinished.
func resumed(name string) (*exportFile, error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, invalid("--resume: %v", err)
	}
	out := &exportFile{name: name, w: file, file: file}
	if err := out.find(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return out, nil
}

// find counts the lines, reads the last one, and leaves the file where the next begins.
func (f *exportFile) find() error {
	var at, start int64
	for r := bufio.NewReaderSize(f.file, 1<<20); ; {
		piece, err := r.ReadSlice('\n')
		at += int64(len(piece))
		switch {
		case err == nil:
			start, f.end, f.lines = f.end, at, f.lines+1
			continue
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case !errors.Is(err, io.EOF):
			return invalid("--resume: %v", err)
		}
		break
	}
	if f.lines > 0 {
		line := make([]byte, f.end-start)
		if _, err := f.file.ReadAt(line, start); err != nil {
			return invalid("--resume: %v", err)
		}
		var last struct {
			ProjectID int64 `json:"project_id"`
			surgical.Target
		}
		if err := json.Unmarshal(line, &last); err != nil || last.ProjectID <= 0 || last.IID <= 0 || !last.Type.Valid() {
			return invalid("--resume: line %d of %s is not an entity that lore export wrote", f.lines, f.name)
		}
		f.last = surgical.EntityRef{ProjectID: last.ProjectID, Target: last.Target}
	}
	rest := make([]byte, min(at-f.end, int64(len(lineStart))))
	if _, err := f.file.ReadAt(rest, f.end); err != nil && !errors.Is(err, io.EOF) {
		return invalid("--resume: %v", err)
	}
	if !strings.HasPrefix(lineStart, string(rest)) {
		return invalid("--resume: %s ends with a line that lore export did not begin", f.name)
	}
	if err := f.file.Truncate(f.end); err != nil {
		return invalid("--resume: %v", err)
	}
	if _, err := f.file.Seek(f.end, io.SeekStart); err != nil {
		return invalid("--resume: %v", err)
	}
	return nil
}

// write adds a line with its newline.
func (f *exportFile) write(line []byte) error {
	if _, err := f.w.Write(line); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	f.lines++
	f.end += int64(len(line))
	return nil
}

// Close makes sure that the file is stored.
func (f *exportFile) Close() error {
	if f.file == nil {
		return nil
	}
	return errors.Join(f.file.Sync(), f.file.Close())
}
