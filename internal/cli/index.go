package cli

import (
	"context"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
)

type indexCommands struct {
	Status  indexStatusCommand  `cmd:"" help:"Show what the search index has, and how current it is."`
	Rebuild indexRebuildCommand `cmd:"" help:"Rebuild the index from all copies. Until that ends, the old index answers."`
}

type indexStatusCommand struct{}

// Help implements [kong.HelpProvider].
func (*indexStatusCommand) Help() string {
	return `Example:

    lore index status`
}

// Run implements the command.
func (*indexStatusCommand) Run(ctx context.Context, s *session) error {
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	index, err := client.Index(ctx)
	if err != nil {
		return err
	}
	s.answer(index.Raw, func(p *printer) { p.index(index.Value) })
	return nil
}

type indexRebuildCommand struct{}

// Help implements [kong.HelpProvider].
func (*indexRebuildCommand) Help() string {
	return `The indexer starts at once, or within a minute. lore index status shows how far it is.

Example:

    lore index rebuild`
}

// Run implements the command.
func (*indexRebuildCommand) Run(ctx context.Context, s *session) error {
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	index, err := client.RebuildIndex(ctx)
	if err != nil {
		return err
	}
	s.answer(index.Raw, func(p *printer) { p.index(index.Value) })
	return nil
}

func (p *printer) index(i apiclient.Index) {
	rows := [][2]cell{pair("status", plain("%s", i.Status)), pair("rebuild requested", plain("%s", moment(i.RequestedAt)))}
	if i.Language != "" {
		rows = append(rows,
			pair("engine", plain("%s", strings.TrimSpace(i.Engine+" "+i.Index))),
			pair("all changes before", plain("%s", moment(i.AsOf))), pair("language", plain("%s", i.Language)), pair("model", plain("%s", i.Model)),
			pair("entities", plain("%s", thousands(int64(i.Entities)))), pair("documents", plain("%s", thousands(int64(i.Documents)))), pair("chunks", plain("%s", thousands(int64(i.Chunks)))),
			pair("built", plain("%s", moment(i.BuiltAt))))
		if i.Engine != "opensearch" {
			rows = append(rows, pair("batches behind it", plain("%d with %s documents", i.Batches, thousands(int64(i.Pending)))))
		}
		rows = append(rows, pair("bytes", plain("%s", thousands(i.Bytes))))
	}
	p.pairs(rows...)
}
