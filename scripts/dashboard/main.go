// Command dashboard draws the CloudWatch dashboard of a stack with default settings, from
// recorded metrics, as docs/images/dashboard.png, so that a change of it can be looked
// at. With -record it records the metrics anew, in test/dashboard/recorded.json. With
// -html it writes a page and takes no picture, for which no Chromium is needed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/chromedp/chromedp"

	"gitlab.com/lorehook/lorehook/test/browser"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cost"
	"gitlab.com/lorehook/lorehook/test/dashboard"
)

func main() {
	record := flag.Bool("record", false, "record the metrics anew")
	html := flag.String("html", "", "write the page to this file, and take no picture")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *record, *html); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, record bool, html string) error {
	root, template, err := cost.Checkout(ctx)
	if err != nil {
		return err
	}
	board, err := dashboard.Read(template)
	if err != nil {
		return err
	}
	recording, err := dashboard.Recorded()
	if record {
		fmt.Fprintln(os.Stderr, "Recording …")
		recording, err = recordAnew(ctx, template, filepath.Join(root, "test", "dashboard", "recorded.json"))
	}
	if err != nil {
		return err
	}
	page, err := board.Page(recording)
	if err != nil {
		return err
	}
	if html != "" {
		return os.WriteFile(html, page, 0o644)
	}
	return picture(ctx, page, board, filepath.Join(root, "docs", "images", "dashboard.png"))
}

func recordAnew(ctx context.Context, template []byte, file string) (recording dashboard.Recording, err error) {
	stack, err := cost.Read(template)
	if err != nil {
		return recording, err
	}
	if err := cloud.Run(ctx, func(t cloud.TB) { recording = cost.Watch(t, stack, cost.Watched) }); err != nil {
		return recording, err
	}
	text, err := recording.Text()
	if err != nil {
		return recording, err
	}
	return recording, os.WriteFile(file, text, 0o644)
}

// picture takes a picture of the page.
func picture(ctx context.Context, page []byte, board dashboard.Board, file string) error {
	path, err := browser.Find()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lorehook-dashboard-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "page.html")
	if err := os.WriteFile(source, page, 0o600); err != nil {
		return err
	}
	tab, stop, err := browser.Start(ctx, path, filepath.Join(dir, "profile"))
	if err != nil {
		return err
	}
	defer stop()
	if err := (browser.Look{Width: int64(board.Width()), Height: int64(board.Height())}).As(tab); err != nil {
		return err
	}
	if err := chromedp.Do(tab, chromedp.Navigate("file://"+source)); err != nil {
		return err
	}
	png, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	fmt.Printf("  %s  %d KB\n", file, len(png)/1024)
	return os.WriteFile(file, png, 0o644)
}
