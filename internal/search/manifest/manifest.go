// Package manifest stores what the search index consists of: one item of the state
// table names its base and says which batches follow it, or names the index in OpenSearch.
// A writer replaces the item, on condition that nobody else did. Each batch is an item of
// its own ([Batch]).
package manifest

import (
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The formats of an index. One of another format than the engine's is rebuilt.
const (
	// OpenSearch is that of an index in OpenSearch.
	OpenSearch = 2
	// Embedded is that of the embedded engine: the version of its objects and batches.
	// Format 1 listed the batches in the manifest.
	Embedded = 3
)

// Manifest says what the index consists of.
type Manifest struct {
	// Version is raised by every change of the manifest; 0 means that there is none.
	Version int64 `dynamodbav:"version"`
	// Format says which engine the index belongs to.
	Format int `dynamodbav:"format"`
	// Language is that of the texts.
	Language string `dynamodbav:"language"`
	// Model is that of the vectors; "" if the index has none.
	Model string `dynamodbav:"model,omitempty"`
	// Confidential is what readers saw of confidential issues and internal notes when the
	// index was made from it; "" if that is not known.
	Confidential surgical.Policy `dynamodbav:"confidential,omitempty"`
	// Edition counts the changes of what the index contains: batches and rebuilds.
	Edition int64 `dynamodbav:"edition"`
	// Rebuilt is the edition that the last rebuild led to. A copy of the index from before
	// it cannot be brought up to date with batches.
	Rebuilt int64 `dynamodbav:"rebuilt,omitempty"`
	// Base is what the batches are added to.
	Base Base `dynamodbav:"base"`
	// Journal names the batches, and Last is the number of the newest one. Those after
	// Base.Through are behind the base.
	Journal string `dynamodbav:"journal,omitempty"`
	Last    int64  `dynamodbav:"last,omitempty"`
	// Pending sums up the batches behind the base.
	Pending Pending `dynamodbav:"pending,omitempty"`
	// Cursor is where the source goes on, and AsOf (in microseconds) a time before
	// which all changes are in the index.
	Cursor string `dynamodbav:"cursor"`
	AsOf   int64  `dynamodbav:"as_of"`
	// Previous is an older base. With the batches after it, it says the same as Base with
	// those behind Base, and serves when Base is damaged. Only a compaction leaves one.
	Previous *Previous `dynamodbav:"previous,omitempty"`
	// Retired are objects, batches, and indexes in OpenSearch, that are no longer named,
	// until they are deleted.
	Retired []Retired `dynamodbav:"retired,omitempty"`
	// SweptAt is when the bucket was last searched for objects that no manifest names
	// (microseconds). What was written long before that, and is not named here, may
	// have been deleted.
	SweptAt int64 `dynamodbav:"swept_at,omitempty"`
	// RebuiltFor is the request that the last rebuild answered.
	RebuiltFor int64 `dynamodbav:"rebuilt_for,omitempty"`
	// Index is the name of an index in OpenSearch, and Dimensions the length of its
	// vectors, 0 before it has any.
	Index      string `dynamodbav:"index,omitempty"`
	Dimensions int    `dynamodbav:"dimensions,omitempty"`
	// Open is a writer that has begun to write to an index in OpenSearch and not ended.
	Open *Open `dynamodbav:"open,omitempty"`
	// RemovedAt is since when an index in OpenSearch may have text that was removed, and
	// FlushedAt when maintenance began to expunge it (microseconds); 0 for never.
	RemovedAt int64 `dynamodbav:"removed_at,omitempty"`
	FlushedAt int64 `dynamodbav:"flushed_at,omitempty"`
	// By is the writer of this version.
	By string `dynamodbav:"by"`
}

// Base is the index as of one batch.
type Base struct {
	// Through is the number of the last batch that the base contains.
	Through int64 `dynamodbav:"through,omitempty"`
	// BuiltAt is when it was built, and AsOf what Manifest.AsOf was then (microseconds).
	BuiltAt int64 `dynamodbav:"built_at"`
	AsOf    int64 `dynamodbav:"as_of"`
	// Catalog has what the index knows of the entities, Texts is the packed bleve
	// index, and Vectors a flat file; it is missing if there are none.
	Catalog Object  `dynamodbav:"catalog"`
	Texts   Object  `dynamodbav:"texts"`
	Vectors *Object `dynamodbav:"vectors,omitempty"`

	Entities  int `dynamodbav:"entities"`
	Documents int `dynamodbav:"documents"`
	Chunks    int `dynamodbav:"chunks"`
	// Bytes is the size of an index in OpenSearch. It and the three numbers above are as
	// of its last maintenance.
	Bytes int64 `dynamodbav:"bytes,omitempty"`
}

// Open is a writer that has begun.
type Open struct {
	// Entities are the keys of the entities that it may write.
	Entities []string `dynamodbav:"entities"`
}

// Objects are those of the base; an index in OpenSearch has none.
func (b Base) Objects() []Object {
	if b.Texts.Key == "" {
		return nil
	}
	objects := []Object{b.Catalog, b.Texts}
	if b.Vectors != nil {
		objects = append(objects, *b.Vectors)
	}
	return objects
}

// Object is an object in the bucket.
type Object struct {
	Key    string `dynamodbav:"key"`
	Bytes  int64  `dynamodbav:"bytes"`
	SHA256 []byte `dynamodbav:"sha256"`
	// ETag is S3's, which changes with the content.
	ETag string `dynamodbav:"etag,omitempty"`
}

// Previous is a base that was replaced.
type Previous struct {
	Base Base `dynamodbav:"base"`
	// RemovedAt is since when it has text that was removed; 0 if it has none.
	RemovedAt int64 `dynamodbav:"removed_at,omitempty"`
}

// Retired is what no longer counts since a time (microseconds): an object, an index in
// OpenSearch, or the batches of a journal with the numbers after After up to Last.
type Retired struct {
	Key     string `dynamodbav:"key,omitempty"`
	Journal string `dynamodbav:"journal,omitempty"`
	After   int64  `dynamodbav:"after,omitempty"`
	Last    int64  `dynamodbav:"last,omitempty"`
	At      int64  `dynamodbav:"at"`
}

// Exists reports whether there is an index.
func (m Manifest) Exists() bool { return m.Version > 0 }

// Behind is how many batches are behind the base.
func (m Manifest) Behind() int { return int(m.Last - m.Base.Through) }

// From is the number after which all batches are named, up to the last one.
func (m Manifest) From() int64 {
	if m.Previous != nil {
		return min(m.Base.Through, m.Previous.Base.Through)
	}
	return m.Base.Through
}

// Objects are those of the bases. Batches name their own.
func (m Manifest) Objects() []Object {
	objects := m.Base.Objects()
	if m.Previous != nil {
		objects = append(objects, m.Previous.Base.Objects()...)
	}
	return objects
}

// Named reports whether the manifest, or one before it, names the object, or the index in
// OpenSearch, with the key. A swap that seems to have failed may have been applied: the
// response to an earlier try of the SDK may have been lost, and others may have changed the
// manifest since.
func (m Manifest) Named(key string) bool {
	return m.Index == key || slices.ContainsFunc(m.Objects(), func(o Object) bool { return o.Key == key }) ||
		slices.ContainsFunc(m.Retired, func(r Retired) bool { return r.Key == key })
}

// Outdated says why an engine of this format, language, model and policy has to rebuild the
// index before it can follow its source; "" if it need not. requested is that of
// [Store.Requested].
func (m Manifest) Outdated(requested int64, format int, language, model string, confidential surgical.Policy) string {
	switch {
	case !m.Exists():
		return "there is no index"
	case requested > m.RebuiltFor:
		return "requested"
	case m.Format != format:
		return "another engine"
	case m.Language != language:
		return "another language"
	case m.Model != model:
		return "another model"
	case m.Confidential != confidential:
		return "another policy"
	}
	return ""
}

// skew is by how much the clocks of a function, and of what keeps the index, may differ.
const skew = 10 * time.Minute

// Swept reports whether what was written since a time may have been deleted, because no
// manifest named it for too long.
func (m Manifest) Swept(since time.Time) bool {
	return m.SweptAt != 0 && since.Before(time.UnixMicro(m.SweptAt).Add(skew-surgical.IndexUnnamed))
}

// Older reports whether a time in microseconds lies at least so far before now; 0 never
// does.
func Older(now time.Time, micros int64, age time.Duration) bool {
	return micros != 0 && now.Sub(time.UnixMicro(micros)) >= age
}

// Retire adds objects, or indexes in OpenSearch, to what retired.
func (m *Manifest) Retire(at time.Time, keys ...string) {
	for _, key := range keys {
		m.Retired = append(m.Retired, Retired{Key: key, At: at.UnixMicro()})
	}
}

// Replace retires what the manifest that it replaces names, and it does not.
func (m *Manifest) Replace(read Manifest, at time.Time) {
	m.Retired = slices.Clone(m.Retired)
	still := m.Objects()
	for _, o := range read.Objects() {
		if !slices.ContainsFunc(still, func(s Object) bool { return s.Key == o.Key }) {
			m.Retire(at, o.Key)
		}
	}
	last := read.Last
	if m.Journal == read.Journal {
		last = m.From()
	}
	if last > read.From() {
		m.Retired = append(m.Retired, Retired{Journal: read.Journal, After: read.From(), Last: last, At: at.UnixMicro()})
	}
}
