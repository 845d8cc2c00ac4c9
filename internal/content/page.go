package content

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxAhead is how many bytes a page reads at a time beyond its room, to find a child that
// is shown among many that are not.
const maxAhead = 1 << 20

// ErrNoSuchChild means that a page was to begin after a child that the revision does not
// have, or does not show.
var ErrNoSuchChild = errors.New("no such child")

// Room returns how much a page takes at this moment: bytes of text, and children.
type Room func() (bytes, children int)

// Page reads what a page of a revision shows: the entity itself, and children from a place
// on. It reads no more than fits and the child that may come next, unless it takes fewer
// read units to read an entity that fits as a whole.
type Page struct {
	revision *Revision
	after    string
	room     Room
	// rest are the children in their order, from the one named after on.
	rest []string
	// all are the texts of all children, if they are read together, as they must be if
	// nothing else says their order.
	all map[string]json.RawMessage
}

// Page returns a page of the children of these kinds, in the order of the kinds, which
// begins after a child that an earlier page showed ("" for the first page).
func (v *Revision) Page(ctx context.Context, kinds []surgical.ChildKind, after string, room Room) (*Page, error) {
	p := &Page{revision: v, after: after, room: room}
	var err error
	ordered := len(kinds) == 0 || v.named.outlined()
	if !ordered {
		if p.all, err = v.texts(ctx); err != nil {
			return nil, err
		}
	}
	p.place(kinds)
	if ordered && p.together() {
		p.all, err = v.texts(ctx)
	}
	return p, err
}

// place finds the children of the page; none if there is no child to begin after.
func (p *Page) place(kinds []surgical.ChildKind) {
	for _, kind := range kinds {
		p.rest = append(p.rest, p.revision.named.inOrder(kind, p.all)...)
	}
	if p.after == "" {
		return
	}
	from := slices.Index(p.rest, p.after)
	if from < 0 {
		from = len(p.rest)
	}
	p.rest = p.rest[from:]
}

// together reports whether to read all children at once: if all of them fit, and one by
// one those of the page would take as many read units.
func (p *Page) together() bool {
	named, total, apart := p.revision.named, 0, 0
	for _, one := range named {
		total += one.Outline.Bytes
	}
	next := p.rest[:p.fitting(p.rest, 1)]
	if p.after == "" {
		next = append(slices.Clone(next), entityChild, descriptionChild)
	}
	for _, one := range named.only(next) {
		apart += dynamo.ReadUnits(one.Outline.Bytes)
	}
	bytes, _ := p.room()
	return total <= bytes && dynamo.ReadUnits(total) <= apart
}

// fitting returns how many of the children to read next: those that may fit and, unless
// their bytes fill the page, one more that may not. It is at least one, and at least so
// many as given if they are short.
func (p *Page) fitting(children []string, least int) int {
	bytes, most := p.room()
	most++
	read := 0
	for n, child := range children {
		size := p.revision.named[child].Outline.Bytes
		if child == p.after { // it only has to be there
			bytes, most = bytes+size, most+1
		}
		if full := n >= most || read+size > bytes; n > 0 && full && (n >= least || read+size > maxAhead) {
			return n
		}
		read += size
	}
	return len(children)
}

// Entity returns GitLab's JSON of the entity, as [Entity] has it.
func (p *Page) Entity(ctx context.Context) (json.RawMessage, error) {
	texts, err := p.texts(ctx, []string{entityChild, descriptionChild})
	if err != nil {
		return nil, err
	}
	return p.revision.entity(texts)
}

// Children yields what is shown of the children, for as long as they fit: the caller ends
// the loop with the first one that has no room. After an error, nothing else follows. The
// error is [ErrNoSuchChild] if the child after which the page begins is not shown: what is
// not shown is like what is not there.
func (p *Page) Children(ctx context.Context) iter.Seq2[surgical.Child, error] {
	return func(yield func(surgical.Child, error) bool) {
		awaited := p.after
		for child, err := range p.shown(ctx) {
			switch {
			case err != nil || awaited == "":
				if !yield(child, err) {
					return
				}
			case child.Key() != awaited:
				yield(surgical.Child{}, ErrNoSuchChild)
				return
			default:
				awaited = ""
			}
		}
		if awaited != "" {
			yield(surgical.Child{}, ErrNoSuchChild)
		}
	}
}

// shown yields those of the children that are shown. It reads more of them at a time while
// none is shown.
func (p *Page) shown(ctx context.Context) iter.Seq2[surgical.Child, error] {
	return func(yield func(surgical.Child, error) bool) {
		rest, least := p.rest, 1
		for len(rest) > 0 {
			next := rest[:p.fitting(rest, least)]
			rest = rest[len(next):]
			texts, err := p.texts(ctx, next)
			if err != nil {
				yield(surgical.Child{}, err)
				return
			}
			least = 2 * len(next) // if none of them is shown
			for _, child := range next {
				raw, shown := p.revision.shown(child, texts[child])
				if !shown {
					continue
				}
				least = 1
				_, id, _ := strings.Cut(child, "#")
				if !yield(surgical.Child{Kind: kindOf(child), ID: id, Raw: raw}, nil) {
					return
				}
			}
		}
	}
}

// texts returns the texts of those of the children that there are.
func (p *Page) texts(ctx context.Context, children []string) (map[string]json.RawMessage, error) {
	if p.all != nil {
		return p.all, nil
	}
	return p.revision.store.someChildren(ctx, p.revision.Ref, p.revision.named.only(children))
}
