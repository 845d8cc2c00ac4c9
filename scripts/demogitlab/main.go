// Command demogitlab runs the demo GitLab until it receives SIGINT or SIGTERM.
//
//	demogitlab -addr 127.0.0.1:0 -token glpat-demo -state state.json
//
// With -state, it goes on with what the file has, if there is one, and writes it after
// every change: a stack that copied a GitLab would not recognize one that has lost what
// it showed before.
//
// It holds a small project for the demo's steps and those of test/corpus, worth reading.
// It disables hooks whose deliveries fail, as gitlab.com does. The endpoints under
// /_demo/ change what it holds, and let it deliver.
//
// Once it is listening it prints its address as the first line of standard
// output. It logs to standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on; port 0 picks a free port")
	token := flag.String("token", "", "access token that requests must carry; empty disables authentication")
	state := flag.String("state", "", "file that keeps what it holds; empty keeps nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *token, *state); err != nil {
		slog.Error("demo GitLab", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, token, state string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	gitlab := fakegitlab.New(fakegitlab.Options{Token: token, Control: true, AutoDisable: true})
	if err := harbor(gitlab.State); err != nil {
		return err
	}
	var handler http.Handler = gitlab
	if state != "" {
		kept := &keeper{State: gitlab.State, file: state}
		if err := kept.load(); err != nil {
			return err
		}
		handler = kept.around(gitlab)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// Close, not Shutdown: responses that are being held would never finish.
		stopped <- server.Close()
	}()
	fmt.Println("http://" + listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return <-stopped
}
