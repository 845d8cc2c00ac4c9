package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
)

const (
	// bulkBytes is how large the body of a bulk request becomes: the smallest domains of
	// AWS accept 10 MB.
	bulkBytes = 4 << 20
	// writerLife is how long after it began a writer may still write. Its claims protect
	// it for as long as OpenSearch remembers what it deleted ([deletesKept]).
	writerLife  = 30 * time.Minute
	deletesKept = "2h"
)

// How OpenSearch compares the version of a write with that of the document.
const (
	// newer accepts only higher versions, and sameOrNewer the same one, too.
	newer       = "external"
	sameOrNewer = "external_gte"
)

// operation is one write of a bulk request.
type operation struct {
	ID      string
	Version int64
	Accept  string
	// Source is the document; nil deletes it.
	Source []byte
}

// lines is the operation in a bulk request. Only the alias of the index is written to:
// it goes with the index, so a late write does not create the index again.
func (o operation) lines() []byte {
	meta := object{"_id": o.ID, "version": o.Version, "version_type": o.Accept, "require_alias": true}
	action := "index"
	if o.Source == nil {
		action = "delete"
	}
	lines := append(encoded(object{action: meta}), '\n')
	if o.Source != nil {
		lines = append(append(lines, o.Source...), '\n')
	}
	return lines
}

type itemError struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// outcome is that of one operation.
type outcome struct {
	Status int        `json:"status"`
	Error  *itemError `json:"error"`
}

// writer writes to one index. What it adds is sent whenever there is enough of it.
type writer struct {
	engine *Engine
	index  string
	// began is zero for an index that nobody else writes to.
	began time.Time

	pending []operation
	body    bytes.Buffer
}

func (e *Engine) writer(index string, began time.Time) *writer {
	return &writer{engine: e, index: index, began: began}
}

// add adds an operation.
func (w *writer) add(ctx context.Context, o operation) error {
	lines := o.lines()
	if w.body.Len() > 0 && w.body.Len()+len(lines) > bulkBytes {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.pending = append(w.pending, o)
	w.body.Write(lines)
	return nil
}

// flush sends what was added. Operations that OpenSearch is too busy for are sent again.
// One that is refused because of its version is [search.ErrMoved]; one that it cannot
// store is left out, so that it does not stop the others.
func (w *writer) flush(ctx context.Context) error {
	pause := firstPause
	for attempt := 1; len(w.pending) > 0; attempt++ {
		if !w.began.IsZero() && w.engine.Clock().Sub(w.began) > writerLife {
			return fmt.Errorf("%w: this writer began too long ago", search.ErrMoved)
		}
		var answer struct {
			Items []map[string]outcome `json:"items"`
		}
		if err := w.engine.client.call(ctx, http.MethodPost, "/"+writeAlias(w.index)+"/_bulk", nil, w.body.Bytes(), &answer); err != nil {
			return err
		}
		if len(answer.Items) != len(w.pending) {
			return fmt.Errorf("OpenSearch answered %d of %d writes", len(answer.Items), len(w.pending))
		}
		sent := w.pending
		w.pending = nil
		w.body.Reset()
		for i, item := range answer.Items {
			for _, done := range item {
				again, err := w.judge(ctx, sent[i], done)
				if err != nil {
					return err
				}
				if again {
					w.pending = append(w.pending, sent[i])
					w.body.Write(sent[i].lines())
				}
			}
		}
		if len(w.pending) == 0 {
			return nil
		}
		if attempt >= writeAttempts || !rest(ctx, pause) {
			return &failure{Status: http.StatusTooManyRequests, Type: "busy", Reason: fmt.Sprintf("%d writes were not accepted", len(w.pending))}
		}
		pause *= 2
	}
	return nil
}

// judge looks at the outcome of an operation: whether it is to be sent again.
func (w *writer) judge(ctx context.Context, o operation, done outcome) (again bool, err error) {
	switch {
	case done.Error == nil: // also what is deleted and does not exist
		return false, nil
	case done.Status == http.StatusConflict:
		return false, fmt.Errorf("%w: %s", search.ErrMoved, done.Error.Reason)
	case busy(done.Status):
		return true, nil
	case done.Status == http.StatusBadRequest:
		w.engine.Log.WarnContext(ctx, "chunk_not_indexed", "chunk", o.ID, "error", done.Error.Type) // the reason may quote the text
		return false, nil
	}
	return false, damage(&failure{Status: done.Status, Type: done.Error.Type, Reason: done.Error.Reason})
}

// put returns the operation that writes a document.
func put(id string, version int64, accept string, document any) (operation, error) {
	raw, err := json.Marshal(document)
	if err != nil {
		return operation{}, fmt.Errorf("encode %s: %w", id, err)
	}
	return operation{id, version, accept, raw}, nil
}
