// Command console serves the operations console of the local stack until it
// receives SIGINT or SIGTERM. Like the functions, it reads the table names from
// the environment.
//
//	console -addr 127.0.0.1:0
//
// Once it is listening it prints its address as the first line of standard
// output. It logs to standard error, and listens only on loopback.
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

	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/ledger"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "loopback address to listen on; port 0 picks a free port")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(ctx, *addr, log); err != nil {
		log.Error("console", "error", err.Error())
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, addr string, log *slog.Logger) error {
	c, err := config.Load[config.Console]()
	if err != nil {
		return err
	}
	db := dynamo.New(awsenv.Config())
	rows := ledger.New(db, c.Tables, time.Now)
	handler, err := console.NewSite(console.SiteOptions{
		Ledger: rows, Store: content.NewStore(db, c.Content, time.Now).ForReaders(rows.ProjectHiddenAt, c.Confidential),
		Clock: time.Now, Zone: time.Local, Log: log,
	})
	if err != nil {
		return err
	}
	listener, err := listen(ctx, addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- server.Close()
	}()
	fmt.Println("http://" + listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return <-stopped
}

// listen rejects addresses that other machines could reach: pages show the
// titles of confidential issues.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("-addr must be a loopback address such as 127.0.0.1:8930, got %q", addr)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}
