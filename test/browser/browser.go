// Package browser starts a headless Chromium for visual tests and screenshots.
// It can reach only this machine.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// ErrNotInstalled means that this machine has no Chromium; the error's text
// says how to install it.
var ErrNotInstalled = errors.New("not installed")

// PathEnv names the environment variable with the path of another Chromium.
const PathEnv = "LOREHOOK_CHROMIUM"

// Find returns the path of a Chromium.
func Find() (string, error) {
	if path := os.Getenv(PathEnv); path != "" {
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Chromium: %w; on Debian, apt-get install chromium fonts-dejavu-core, or set %s to its path", ErrNotInstalled, PathEnv)
}

// Start starts the Chromium at path with its own profile in dir, which must be
// empty. It stops when the context ends.
func Start(ctx context.Context, path, dir string) (browser context.Context, stop func(), err error) {
	flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.Headless}
	for name, value := range map[string]any{
		"disable-gpu": true, "disable-quic": true, "no-first-run": true, "disable-background-networking": true,
		"disable-component-update": true, "disable-sync": true, "disable-dev-shm-usage": true, "hide-scrollbars": true,
		// No host name resolves to another machine.
		"host-resolver-rules": "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "no-proxy-server": true,
		"force-color-profile": "srgb", "font-render-hinting": "none",
	} {
		flags = append(flags, chromedp.Flag(name, value))
	}
	allocator, endProcess := chromedp.NewExecAllocator(ctx, flags...)
	browser, endBrowser := chromedp.NewContext(allocator)
	stop = func() {
		endBrowser()
		endProcess()
	}
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return browser, stop, nil
}

// Look is the window and colour scheme that a page is displayed with.
type Look struct {
	// Width and Height are the window's, in pixels.
	Width, Height int64
	// Dark sets prefers-color-scheme to dark.
	Dark bool
}

// As applies the look from now on.
func (l Look) As(browser context.Context) error {
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(browser, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err == nil {
		err = chromedp.Do(browser, chromedp.EmulateViewport(l.Width, l.Height))
	}
	if err != nil {
		return fmt.Errorf("apply look %+v: %w", l, err)
	}
	return nil
}
