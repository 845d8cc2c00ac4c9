// Command screenshots takes the README's screenshots of the console from the demo running
// on this machine (make demo), once its backfill in the background has ended. It first
// starts one run that fails and holds another one open, so that the pictures show both.
//
//	screenshots -into docs/images
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/chromedp/chromedp"

	"gitlab.com/lorehook/lorehook/test/browser"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// patience limits the wait for a run, which normally takes about three seconds.
const patience = time.Minute

func main() {
	into := flag.String("into", filepath.Join("docs", "images"), "directory for the screenshots")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *into); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, into string) (err error) {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	e, err := devstack.ReadEndpoints(filepath.Join(root, devstack.LocalDir))
	if err != nil || e.ConsoleURL == "" {
		return errors.Join(err, errors.New("no console is running; start it with make demo"))
	}
	s := scene{Endpoints: e}
	defer func() { err = errors.Join(err, s.release(context.WithoutCancel(ctx))) }()
	if err := s.set(ctx); err != nil {
		return err
	}
	return s.take(ctx, into)
}

// scene is the state that the screenshots show.
type scene struct {
	devstack.Endpoints
	failed string
}

// set makes one run fail and holds another one open.
func (s *scene) set(ctx context.Context) error {
	var err error
	if s.failed, err = s.start(ctx, `{"project_id":1,"issues":[7,4711]}`); err != nil {
		return err
	}
	if err := s.call(ctx, http.MethodPost, s.GitLabBaseURL+"/_demo/hold?project=1&type=issue&iid=8&requests=1", "", nil); err != nil {
		return err
	}
	held, err := s.start(ctx, `{"project_id":1,"issues":[8]}`)
	if err != nil {
		return err
	}
	if err := s.await(ctx, s.failed, "failed"); err != nil {
		return err
	}
	if err := s.await(ctx, held, "running"); err != nil {
		return err
	}
	return nil
}

func (s *scene) release(ctx context.Context) error {
	return s.call(ctx, http.MethodPost, s.GitLabBaseURL+"/_demo/release?project=1&type=issue&iid=8", "", nil)
}

func (s *scene) start(ctx context.Context, body string) (string, error) {
	var started struct {
		RunID string `json:"run_id"`
	}
	err := s.call(ctx, http.MethodPost, s.APIURL+"/v1/sync-runs", body, &started)
	return started.RunID, err
}

// await waits until the run has the status.
func (s *scene) await(ctx context.Context, runID, status string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var run struct {
			Status string `json:"status"`
		}
		if err := s.call(ctx, http.MethodGet, s.APIURL+"/v1/sync-runs/"+runID, "", &run); err != nil {
			return err
		}
		if run.Status == status {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("run %s is %s, not %s: %w", runID, run.Status, status, ctx.Err())
		}
	}
}

func (s *scene) call(ctx context.Context, method, address, body string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %.300s", method, address, resp.Status, raw)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// take writes the screenshots.
func (s *scene) take(ctx context.Context, into string) error {
	path, err := browser.Find()
	if err != nil {
		return err
	}
	profile, err := os.MkdirTemp("", "lorehook-screenshots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	tab, stop, err := browser.Start(ctx, path, profile)
	if err != nil {
		return err
	}
	defer stop()
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	for _, picture := range []struct {
		name, page string
		look       browser.Look
	}{
		// One project of Harbor: others have issues in languages for which not every machine has fonts.
		{"console-search.png", "/search?project=101&q=" + url.QueryEscape("why do deleted pages still show up"), browser.Look{Width: 1280, Height: 860}},
		{"console-home.png", "/", browser.Look{Width: 1280, Height: 860}},
		{"console-list.png", "/projects/101/issues?state=opened", browser.Look{Width: 1280, Height: 860}},
		{"console-thread.png", "/projects/101/issues/1", browser.Look{Width: 1280, Height: 860}},
		{"console-run.png", "/runs/" + s.failed, browser.Look{Width: 1280, Height: 860, Dark: true}},
		{"console-narrow.png", "/projects/101/issues/1", browser.Look{Width: 360, Height: 860}},
	} {
		if err := picture.look.As(tab); err != nil {
			return err
		}
		if err := chromedp.Do(tab, chromedp.Navigate(s.ConsoleURL+picture.page)); err != nil {
			return err
		}
		png, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
		if err != nil {
			return err
		}
		file := filepath.Join(into, picture.name)
		if err := os.WriteFile(file, png, 0o644); err != nil {
			return err
		}
		fmt.Printf("  %s  %d KB\n", file, len(png)/1024)
	}
	return nil
}
