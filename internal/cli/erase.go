package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type eraseCommand struct {
	Entity string `arg:"" optional:"" help:"The entity: 1#7, group/project#7, group/project!3, or its URL in GitLab."`
	Yes    bool   `short:"y" help:"Do not ask."`
	DryRun bool   `help:"Only count what would be removed."`
	Undo   bool   `xor:"what" help:"Allow the entity to be fetched again. Nothing is restored."`
	List   bool   `xor:"what" help:"List what was erased."`
	Repeat string `xor:"what" placeholder:"FILE" help:"Erase again what the file lists, which lore erase --list --robot wrote."`
}

// Help implements [kong.HelpProvider].
func (*eraseCommand) Help() string {
	return `Hides the entity and keeps it out at once: no reader sees it, and no webhook, request or pass fetches or stores it. Then removes its copy, documents and embeddings, and shows what a list of all its items still finds. GitLab is not changed. Asks first if it runs on a terminal; elsewhere it needs --yes. It can be interrupted and repeated, and the sweeper goes on within a minute.

Point-in-time recovery still holds what was removed for 35 days, and a restored table does not know that it was erased. So save the list before a restore, and erase everything on it again before a backfill fetches it.

Examples:

    lore erase 1#7

    lore erase 'group/project!3' --dry-run

    lore erase 1#7 --undo

    lore erase --list --robot > erased.json

    lore erase --repeat erased.json`
}

// Run implements the command.
func (c *eraseCommand) Run(ctx context.Context, s *session) error {
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	if c.List || c.Repeat != "" {
		if c.Entity != "" || c.DryRun {
			return invalid("--list and --repeat take no entity and no --dry-run")
		}
		if c.List {
			return c.list(ctx, s, client)
		}
		return c.repeat(ctx, s, client)
	}
	if c.Undo && c.DryRun {
		return invalid("--undo and --dry-run exclude each other")
	}
	ref, err := s.entity(ctx, "", nil, nil, c.Entity)
	if err != nil {
		return err
	}
	if c.Undo {
		lifted, err := client.Unerase(ctx, ref)
		if err != nil {
			return err
		}
		s.answer(lifted.Raw, func(p *printer) {
			p.line("%s is not erased", ref)
			p.hint("it has no copy until something fetches it, such as", "lore sync "+shorthand(ref))
		})
		return nil
	}
	stored, err := client.Erasure(ctx, ref)
	if err != nil {
		return err
	}
	if c.DryRun {
		s.answer(stored.Raw, func(p *printer) { p.erasable(stored.Value) })
		return nil
	}
	if !c.Yes {
		if err := s.confirm(fmt.Sprintf("Erase %s: remove %s and keep it out?", ref, itemCounts(stored.Value.Left))); err != nil {
			return err
		}
	}
	erased, err := c.erase(ctx, client, ref)
	if err != nil {
		return err
	}
	s.answer(erased.Raw, func(p *printer) { p.erasure(erased.Value) })
	return nil
}

// erase repeats the request for as long as it gets on.
func (c *eraseCommand) erase(ctx context.Context, client *apiclient.Client, ref surgical.EntityRef) (apiclient.Answer[apiclient.Erasure], error) {
	for {
		erased, err := client.Erase(ctx, ref)
		if e := erased.Value; err != nil || e.Left.Total() == 0 || e.Left.Total() >= e.Found.Total() {
			return erased, err
		}
	}
}

func (c *eraseCommand) list(ctx context.Context, s *session, client *apiclient.Client) error {
	list, err := client.Erasures(ctx)
	if err != nil {
		return err
	}
	s.answer(list.Raw, func(p *printer) { p.erasures(list.Value.Erasures, s.times()) })
	return nil
}

// repeat erases again what a file lists.
func (c *eraseCommand) repeat(ctx context.Context, s *session, client *apiclient.Client) error {
	raw, err := os.ReadFile(c.Repeat)
	if err != nil {
		return invalid("--repeat: %v", err)
	}
	var file struct{ Data *apiclient.ErasureList }
	if err := json.Unmarshal(raw, &file); err != nil || file.Data == nil {
		return invalid("%s is not what lore erase --list --robot writes", c.Repeat)
	}
	if !c.Yes {
		if err := s.confirm(fmt.Sprintf("Erase %s again?", entities(int64(len(file.Data.Erasures))))); err != nil {
			return err
		}
	}
	for i, e := range file.Data.Erasures {
		again, err := c.erase(ctx, client, e.Ref())
		if err != nil {
			return err
		}
		file.Data.Erasures[i] = again.Value
	}
	s.answer(file.Data, func(p *printer) { p.erasures(file.Data.Erasures, s.times()) })
	return nil
}

// itemCounts says how many items there are.
func itemCounts(items apiclient.StoredItems) string {
	return fmt.Sprintf("%d parts of its copy, %d documents and %d embeddings", items.Parts, items.Documents, items.Embeddings)
}

// shorthand writes the entity as commands take it.
func shorthand(ref surgical.EntityRef) string {
	mark := "#"
	if ref.Type == surgical.MergeRequest {
		mark = "!"
	}
	return fmt.Sprintf("'%d%s%d'", ref.ProjectID, mark, ref.IID)
}

// erasable prints what an erasing would remove.
func (p *printer) erasable(e apiclient.Erasure) {
	p.sentence("%s has %s", e.Ref(), itemCounts(e.Left))
	if !e.ErasedAt.IsZero() {
		p.line("it was erased at %s", moment(e.ErasedAt))
	}
}

// erasure prints what an erasing removed, and the proof.
func (p *printer) erasure(e apiclient.Erasure) {
	p.pairs(
		pair("entity", plain("%s", e.Ref())),
		pair("erased at", plain("%s", moment(e.ErasedAt))),
		pair("removed", plain("%s", itemCounts(apiclient.StoredItems{
			Parts: e.Found.Parts - e.Left.Parts, Documents: e.Found.Documents - e.Left.Documents, Embeddings: e.Found.Embeddings - e.Left.Embeddings,
		}))),
		pair("left", p.left(e)),
		pair("listed again at", plain("%s", moment(e.SettlesAt))),
		pair("in the index until", plain("%s, as words in its objects that no search finds; sooner with: lore index rebuild", moment(e.IndexedUntil))),
		pair("recoverable until", plain("%s, for anyone who may restore the tables from point-in-time recovery", moment(e.RecoverableUntil))),
	)
	p.line("")
	p.hint("nothing of it is fetched or stored until", "lore erase "+shorthand(e.Ref())+" --undo")
}

// left says what the list of all items still found.
func (p *printer) left(e apiclient.Erasure) cell {
	if e.Left.Total() == 0 {
		return cell{"nothing: the list of all its items is empty", p.good}
	}
	return cell{itemCounts(e.Left) + "; the sweeper goes on", p.warn}
}

// erasures prints a list of what was erased.
func (p *printer) erasures(all []apiclient.Erasure, at times) {
	if len(all) == 0 {
		p.line("nothing was erased")
	}
	var rows [][]cell
	for _, e := range all {
		state := cell{"complete", p.good}
		if !e.Complete {
			state = cell{"listed again at " + moment(e.SettlesAt), p.warn}
		}
		rows = append(rows, []cell{plain("%s", e.Ref()), plain("%s", at.short(e.ErasedAt)), plain("%s", at.short(e.RecoverableUntil)), state})
	}
	p.table([]string{"ENTITY", "ERASED AT", "RECOVERABLE UNTIL", "STATE"}, rows)
}
