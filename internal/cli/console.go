package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/markdown"
)

type consoleCommand struct {
	Port      int  `default:"8930" help:"Port on this machine; 0 picks a free one."`
	NoBrowser bool `help:"Do not open a browser."`
}

// Help implements [kong.HelpProvider].
func (*consoleCommand) Help() string {
	return `Search, read threads beside their documents, see how fresh they are, sync them and watch runs, in your browser. The pages are served on 127.0.0.1 only, until Ctrl-C, and everything on them is read through the API, with your credentials.

Examples:

    lore console

    lore console --api-url https://abc123.execute-api.eu-central-1.amazonaws.com --port 0`
}

// Run implements the command. The first line that it prints is the address.
func (c *consoleCommand) Run(ctx context.Context, s *session) error {
	if s.robot {
		return invalid("lore console serves pages until it is stopped, and has no envelope to print")
	}
	if c.Port < 0 || c.Port > 65535 {
		return invalid("--port must be from 0 to 65535, got %d", c.Port)
	}
	address, err := s.apiURL()
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(s.Stderr, nil))
	handler, err := console.NewSite(console.SiteOptions{
		API: client, Stack: "Shows " + address, Markdown: markdown.New().HTML, NewKey: s.NewKey, Clock: s.Clock, Zone: time.Local, Log: log,
	})
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return invalid("port %d cannot be used (%v); --port 0 picks a free one", c.Port, err)
	}
	page := "http://" + listener.Addr().String()
	s.out.line("%s", page)
	if s.StdoutTerminal {
		s.out.line("%s", paint(s.out.faint, "Ctrl-C stops it"))
		if !c.NoBrowser {
			if err := s.Browse(page); err != nil {
				s.err.line("no browser could be opened: %v", err)
			}
		}
	}
	return serve(ctx, listener, handler, log)
}

// serve serves the pages until the context ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError),
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return <-stopped
}
