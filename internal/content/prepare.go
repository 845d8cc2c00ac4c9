package content

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Prepare works out what committing the snapshot takes, compared with the
// entity's head; the attempt is the one that is going to stage it. It writes
// nothing. If the guard refuses the snapshot, Prepare returns a nil Change and
// the head.
//
// base is the head as it was read earlier, or nil to read it now. An outdated
// base is harmless: the guard reads the head again, in the commit itself.
func (s *Store) Prepare(ctx context.Context, snap surgical.Snapshot, attempt surgical.AttemptID, base *Base) (*Change, surgical.Head, error) {
	if base == nil || base.Head.Ref != snap.Ref {
		var err error
		if base, err = s.base(ctx, snap.Ref); err != nil {
			return nil, surgical.Head{}, err
		}
	}
	if !base.Head.Accepts(snap) {
		return nil, base.Head, nil
	}
	if snap.Missing {
		change, err := s.tombstone(ctx, snap, attempt, base)
		return change, base.Head, err
	}
	children, err := childrenOf(snap)
	if err != nil {
		return nil, base.Head, err
	}
	p := preparation{store: s, snap: snap, attempt: attempt, base: base.item, children: children,
		change: &Change{Ref: snap.Ref, Base: base.Head, Revision: base.Head.Revision + 1, Fewer: map[surgical.ChildKind]int{},
			were: entries{}, are: map[string]json.RawMessage{}}}
	if err := p.run(ctx); err != nil {
		return nil, base.Head, fmt.Errorf("prepare %s: %w", snap.Ref, s.damaged(ctx, base.Head, err))
	}
	return p.change, base.Head, nil
}

// damaged returns a permanent failure in place of [errOvertaken] if no newer revision
// explains it: what a head names expires only an hour after the next revision, and all
// of it is read consistently.
func (s *Store) damaged(ctx context.Context, was surgical.Head, err error) error {
	if !errors.Is(err, errOvertaken) {
		return err
	}
	item, readErr := s.headItem(ctx, was.Ref)
	if readErr != nil || item == nil || item.Revision != was.Revision {
		return err
	}
	e := surgical.WrapError(surgical.CodeIngestFailed, err, "the stored copy lacks items that its head names; restore the content table to a time before they were lost")
	e.Retryable, e.Action = false, surgical.ActionContactOperator
	return e
}

// childrenOf returns everything that is stored as a child: the children of the
// snapshot, the entity's JSON and its description. Invalid UTF-8 is replaced,
// because DynamoDB refuses it.
func childrenOf(snap surgical.Snapshot) (map[string]surgical.Child, error) {
	rest, description, err := withoutDescription(snap.Entity)
	if err != nil {
		return nil, err
	}
	list := append(slices.Clone(snap.Children), surgical.Child{Kind: surgical.KindEntity, ID: "0", Raw: rest})
	if description != nil {
		raw, err := json.Marshal(*description)
		if err != nil {
			return nil, fmt.Errorf("encode description: %w", err)
		}
		list = append(list, surgical.Child{Kind: surgical.KindDescription, ID: "0", Raw: raw})
	}
	children := make(map[string]surgical.Child, len(list))
	for _, c := range list {
		if !utf8.Valid(c.Raw) { // a copy of everything that was fetched takes much memory
			c.Raw = bytes.ToValidUTF8(c.Raw, []byte("\uFFFD"))
		}
		children[c.Key()] = c
	}
	return children, nil
}

// preparation is the state of one Prepare.
type preparation struct {
	store    *Store
	snap     surgical.Snapshot
	attempt  surgical.AttemptID
	base     *headItem
	children map[string]surgical.Child
	change   *Change
	packer   packer

	changed []string // keys of children added, changed or removed
}

func (p *preparation) run(ctx context.Context) error {
	next := make(entries, len(p.children))
	for child, c := range p.children {
		hash, err := contentHash(c)
		if err != nil {
			return err
		}
		next[child] = entry{Hash: hash}
	}
	attributes, err := surgical.ParseAttributes(p.snap.Entity)
	if err != nil {
		return undecodable(p.snap.Ref, err)
	}
	head, err := p.manifest(ctx, next)
	if err != nil {
		return err
	}
	p.change.Changed = len(p.changed) > 0
	p.scope(attributes)
	return p.head(head, attributes)
}

// undecodable is the error for an entity that does not say whether it is
// confidential. Fetching it again does not help.
func undecodable(ref surgical.EntityRef, cause error) error {
	e := surgical.WrapError(surgical.CodeIngestFailed, cause, ref.String()+" does not say whether it is confidential; nothing was written")
	e.Retryable, e.Action = false, surgical.ActionContactOperator
	return e
}

// manifest compares the new entries with the manifest of the base, stages what is
// new, and returns a head that names the result.
func (p *preparation) manifest(ctx context.Context, next entries) (*headItem, error) {
	present := 0
	if p.base != nil {
		present = len(p.base.Parts.Refs)
	}
	count := partCount(len(next), present)
	if count == 0 || count != present {
		return p.rewrittenManifest(ctx, next, count)
	}
	parts := next.partition(count)
	hashes := make([][]byte, count)
	for i, part := range parts {
		hashes[i] = part.hash()
	}
	old, err := p.store.manifest(ctx, p.snap.Ref, p.base, func(i int) bool {
		return !slices.Equal(hashes[i], p.base.Parts.Refs[i].hash)
	})
	if err != nil {
		return nil, err
	}
	refs := slices.Clone(old.parts)
	for i, before := range old.read {
		if err := p.diff(ctx, before, parts[i]); err != nil {
			return nil, err
		}
		p.supersedePart(i, refs[i])
		if refs[i], err = p.stagePart(i, parts[i]); err != nil {
			return nil, err
		}
	}
	return &headItem{Parts: packParts(refs)}, nil
}

// rewrittenManifest handles a manifest that is stored in the head, and one whose
// number of parts changes.
func (p *preparation) rewrittenManifest(ctx context.Context, next entries, count int) (*headItem, error) {
	old, err := p.store.manifest(ctx, p.snap.Ref, p.base, everyPart)
	if err != nil {
		return nil, err
	}
	if err := p.diff(ctx, old.all(), next); err != nil {
		return nil, err
	}
	for i, ref := range old.parts {
		p.supersedePart(i, ref)
	}
	if count == 0 {
		return &headItem{Children: packEntries(next)}, nil
	}
	refs := make([]partRef, count)
	for i, part := range next.partition(count) {
		if refs[i], err = p.stagePart(i, part); err != nil {
			return nil, err
		}
	}
	return &headItem{Parts: packParts(refs)}, nil
}

// diff completes the entries of next: a child that before has with the same hash
// is carried over, any other is staged. What only before has is superseded. An entry of
// an earlier version gets its outline.
func (p *preparation) diff(ctx context.Context, before, next entries) error {
	old := replaced(before, next)
	maps.Copy(p.change.were, old)
	lists, err := p.store.pieceLists(ctx, p.snap.Ref, old)
	if err != nil {
		return err
	}
	for _, child := range slices.Sorted(maps.Keys(next)) {
		old, had := before[child]
		if had && slices.Equal(old.Hash, next[child].Hash) {
			if !old.Outline.known() {
				old.Outline = outlineOf(p.children[child])
			}
			next[child] = old
			continue
		}
		staged, pieces, err := p.stageChild(child, next[child].Hash, lists[child])
		if err != nil {
			return err
		}
		next[child] = staged
		p.changed = append(p.changed, child)
		p.change.are[child] = p.children[child].Raw
		if had {
			p.supersede(old.allKeys(child, lists[child]), staged.allKeys(child, pieces))
		} else {
			p.change.Fewer[kindOf(child)]--
		}
	}
	for _, child := range slices.Sorted(maps.Keys(before)) {
		if _, has := next[child]; !has {
			p.changed = append(p.changed, child)
			p.supersede(before[child].allKeys(child, lists[child]), nil)
			p.change.Fewer[kindOf(child)]++
		}
	}
	return nil
}

// replaced returns the entries of children that next changes or lacks.
func replaced(before, next entries) entries {
	old := entries{}
	for child, entry := range before {
		if now, has := next[child]; !has || !slices.Equal(entry.Hash, now.Hash) {
			old[child] = entry
		}
	}
	return old
}

// kindOf returns the kind in a key as [surgical.Child.Key] gives it.
func kindOf(child string) surgical.ChildKind {
	kind, _, _ := strings.Cut(child, "#")
	return surgical.ChildKind(kind)
}

// childItem is one item of a child: all of it, a piece, or a segment.
type childItem struct {
	PK string `dynamodbav:"pk"`
	SK string `dynamodbav:"sk"`
	body
}

// stageChild stages a new version of the child; before are the pieces of the
// version that it replaces, and the result those of the new one.
func (p *preparation) stageChild(child string, hash []byte, before []pieceRef) (entry, []pieceRef, error) {
	p.change.ChildrenWritten++
	staged, raw := entry{hash, p.attempt, 1, outlineOf(p.children[child])}, p.children[child].Raw
	if len(raw) <= plainLimit {
		item := key(p.snap.Ref, childKey(child, p.attempt, 0))
		p.change.staged = append(p.change.staged, staging{dynamo.ItemSize(item) + len("text") + len(raw), func() dynamo.Item {
			whole := maps.Clone(item)
			whole["text"] = &types.AttributeValueMemberS{Value: string(raw)}
			return whole
		}})
		return staged, nil, nil
	}
	staged.Segments = inPieces
	pieces, err := p.stagePieces(child, raw, before)
	if err != nil {
		return entry{}, nil, fmt.Errorf("store %s: %w", child, err)
	}
	return staged, pieces, nil
}

// stagePieces stages those pieces of a long child that before does not contain, and
// the list of all of them. A piece is compressed for its size now, and again when it is
// written: until then, the pieces of a run would take as much memory as its texts.
func (p *preparation) stagePieces(child string, raw []byte, before []pieceRef) ([]pieceRef, error) {
	pieces, fresh, err := p.packer.pack(raw, p.attempt.String(), before)
	if err != nil {
		return nil, err
	}
	for _, piece := range fresh {
		item := key(p.snap.Ref, pieceKey(ofChild(child), piece.ref))
		p.change.staged = append(p.change.staged, staging{dynamo.ItemSize(item) + len("zstd") + len(p.packer.compressed(piece)), func() dynamo.Item {
			whole := maps.Clone(item)
			whole["zstd"] = &types.AttributeValueMemberB{Value: bytes.Clone(p.packer.compressed(piece))}
			return whole
		}})
	}
	return pieces, p.stageList(child, pieces)
}

// stageList stages the list of the child's pieces.
func (p *preparation) stageList(child string, pieces []pieceRef) error {
	list, err := attributevalue.MarshalMap(pieceListItem{
		PK: partition(p.snap.Ref), SK: pieceListKey(child, p.attempt), Pieces: packPieces(pieces),
	})
	if err != nil {
		return fmt.Errorf("encode the list of pieces: %w", err)
	}
	if size := dynamo.ItemSize(list); size > surgical.MaxItemBytes {
		return surgical.NewError(surgical.CodeEntityTooLarge, fmt.Sprintf(
			"the list of the %d pieces of %s of %s has %d bytes; the limit of one item is %d",
			len(pieces), child, p.snap.Ref, size, surgical.MaxItemBytes))
	}
	p.change.staged = append(p.change.staged, ready(list))
	return nil
}

func (p *preparation) stagePart(i int, part entries) (partRef, error) {
	item, err := attributevalue.MarshalMap(partItem{
		PK: partition(p.snap.Ref), SK: partKey(i, p.attempt), Children: packEntries(part),
	})
	if err != nil {
		return partRef{}, fmt.Errorf("encode part %d: %w", i, err)
	}
	p.change.staged = append(p.change.staged, ready(item))
	return partRef{Hash: part.hash(), Attempt: p.attempt}, nil
}

// supersede notes that of the items that the base names, the new head names only
// those that are still named.
func (p *preparation) supersede(were, still []string) {
	p.change.superseded = append(p.change.superseded, without(were, still)...)
}

func (p *preparation) supersedePart(i int, old partRef) {
	p.change.superseded = append(p.change.superseded, partKey(i, old.Attempt))
}

// scope names the documents to render again. Title, link and confidentiality are
// part of every document of the entity, and so is its format, even if nothing
// changed. Another model has to embed all of them.
func (p *preparation) scope(now surgical.Attributes) {
	outdated := p.base != nil && (p.base.DocumentFormat != surgical.DocumentFormat || p.remodelled())
	if !p.change.Changed && !outdated {
		return
	}
	slices.Sort(p.changed)
	p.change.Scope.Children = p.changed
	was := p.change.Base.Attributes
	everything := p.base == nil || outdated ||
		was.Title != now.Title || was.WebURL != now.WebURL || was.Confidential != now.Confidential ||
		len(p.changed) > surgical.MaxNamedChildren || 2*len(p.changed) > len(p.children)
	if everything {
		p.change.Scope = surgical.Scope{All: true}
	}
	p.change.Scope.Hide = p.turnsConfidential(now)
}

// remodelled reports whether there is a model, and the documents may be embedded by
// another one.
func (p *preparation) remodelled() bool {
	return p.store.model != "" && p.base.EmbeddingModel != p.store.model
}

// embeddingModel is the model that embeds all documents after the commit. What changes
// without a model is not embedded at all.
func (p *preparation) embeddingModel() string {
	if p.store.model == "" && p.base != nil && p.change.Scope.Empty() {
		return p.base.EmbeddingModel
	}
	return p.store.model
}

// turnsConfidential reports whether this commit must hide the documents that
// were public until now.
func (p *preparation) turnsConfidential(now surgical.Attributes) bool {
	return p.base != nil && now.Confidential && !p.change.Base.Attributes.Confidential
}

// head completes the head and the condition of its write.
func (p *preparation) head(head *headItem, attributes surgical.Attributes) error {
	snap := p.snap
	head.PK, head.SK = partition(snap.Ref), headKey
	head.ProjectID, head.Entity = snap.Ref.ProjectID, snap.Ref.Target.String()
	head.Revision = p.change.Revision
	head.UpdatedAt, head.FetchedAt, head.FetchedUntil = snap.UpdatedAt.UnixMicro(), snap.FetchedAt.UnixMicro(), snap.FetchedUntil.UnixMicro()
	head.RunID = p.attempt.RunID
	head.DocumentFormat, head.EmbeddingModel = surgical.DocumentFormat, p.embeddingModel()
	head.DocumentsVisibleFrom = p.change.Base.DocumentsVisibleFrom
	if p.turnsConfidential(attributes) {
		head.DocumentsVisibleFrom = head.Revision
	}
	head.ChangedRevision = p.change.Base.ChangedRevision
	if p.change.Changed {
		head.ChangedRevision = head.Revision
	}
	head.MaxNoteID, head.MaxNoteUpdatedAt = snap.Notes.MaxID, dynamo.Micros(snap.Notes.MaxUpdatedAt)
	head.UserNotesCount, head.UnseenComments = snap.UserNotesCount(), snap.UnseenComments()
	head.HiddenSince = dynamo.Micros(p.change.Base.StaysHidden(snap.FetchedAt, attributes.Confidential))
	head.Attributes = itemOfAttributes(attributes)
	head.List, head.Listed = listOf(snap.Ref, attributes.State), place{snap.UpdatedAt.UnixMicro(), snap.Ref.IID}.String()
	if err := p.change.put(head, snap); err != nil {
		return err
	}
	if size := dynamo.ItemSize(p.change.head); size > surgical.MaxItemBytes {
		return surgical.NewError(surgical.CodeEntityTooLarge, fmt.Sprintf(
			"the index of %s has %d bytes; the limit of one item is %d", snap.Ref, size, surgical.MaxItemBytes))
	}
	return nil
}
