package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/load"
)

type loadCommand struct {
	Events     int           `default:"20000" help:"Deliveries, duplicates included."`
	Entities   int           `default:"2000" help:"Issues and merge requests that the events concern."`
	Seed       uint64        `default:"1" help:"The same seed produces the same load."`
	Duplicates float64       `default:"0.05" help:"Share of the events that repeat an earlier one."`
	Disorder   float64       `default:"0.10" help:"Share of the remaining events that arrive after a later event of their entity."`
	Lost       float64       `default:"0" help:"Share of the changes whose events are never delivered; one reconcile then has to find them."`
	Faults     float64       `default:"0.02" help:"Share of GitLab responses that fail."`
	Lanes      int           `default:"4" help:"Number of concurrent deliveries."`
	Rate       float64       `default:"0" help:"Maximum events per second; 0 for as many as the endpoint acknowledges."`
	Patience   time.Duration `default:"25m" help:"Give up after this long without progress. A backlog is drained after 15 minutes."`
	NoAuth     bool          `name:"no-auth" help:"Do not enforce IAM on the local AWS."`
}

// Run implements the command. The load runs on its own stack and GitLab, which
// start empty and stop when it ends.
func (c *loadCommand) Run(ctx context.Context, p *place) error {
	shape := load.Shape{
		Events: c.Events, Entities: c.Entities, Seed: c.Seed, Duplicates: c.Duplicates, Disorder: c.Disorder, Lost: c.Lost, Faults: c.Faults,
	}
	if err := shape.Validate(); err != nil {
		return err
	}
	p.out.heading("Lorehook load test")
	p.out.line("")
	dir := filepath.Join(p.dir, "load")
	if _, err := devstack.Down(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	gitlab := fakegitlab.New(fakegitlab.Options{Token: devstack.DemoGitLabToken, Empty: true})
	gitlabURL, stopGitLab, err := serve(gitlab)
	if err != nil {
		return err
	}
	defer stopGitLab()
	embedderURL, stopEmbedder, err := serve(fakeembedder.Handler())
	if err != nil {
		return err
	}
	defer stopEmbedder()
	progress := &steps{out: p.out}
	stack, err := devstack.Up(ctx, devstack.StackOptions{
		Root: p.root, Dir: dir, Name: "load", GitLabBaseURL: gitlabURL, GitLabToken: devstack.DemoGitLabToken,
		Embedder: devstack.Embedder{URL: embedderURL + "/v1", Model: fakeembedder.Name}, GitLabRequestsPerSecond: gitlabRate, NoAuth: c.NoAuth, Progress: progress.begin,
	})
	if err != nil {
		progress.fail()
		return err
	}
	progress.end()
	defer func() { _ = stack.Stop() }() // the stack ends with this process in any case
	return c.load(ctx, p, load.NewTarget(stack, gitlab), shape)
}

// serve serves the handler on a port of its own until stop is called.
func serve(handler http.Handler) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // it ends when the server is closed
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}

func (c *loadCommand) load(ctx context.Context, p *place, target *load.Target, shape load.Shape) error {
	p.out.line("\n  %d events for %d entities, seed %d: %.0f %% duplicated, %.0f %% out of order, %.0f %% of GitLab responses failing\n",
		c.Events, c.Entities, c.Seed, 100*c.Duplicates, 100*c.Disorder, 100*c.Faults)
	view := &loadView{out: p.out}
	report, err := target.Run(ctx, load.Options{Shape: shape, Lanes: c.Lanes, Rate: c.Rate, Patience: c.Patience, Progress: view.show})
	if err != nil {
		return err
	}
	file := filepath.Join(p.dir, "load.json")
	if err := writeReport(file, report); err != nil {
		return err
	}
	p.showLoad(report)
	p.out.line("\n  Written to %s.", p.relative(file))
	wrong := report.Wrong()
	if len(wrong) == 0 {
		p.out.line("  %s", p.out.good.Sprint("Every acknowledged event is accounted for, and every copy, document and embedding matches GitLab."))
		return nil
	}
	const shown = 20
	p.out.heading(count(len(wrong), "unexpected result"))
	for _, w := range wrong[:min(shown, len(wrong))] {
		p.out.line("  %s %s", p.out.bad.Sprint("✗"), w)
	}
	return errors.New("the load test failed; the full report is in " + p.relative(file) + ", logs are in " + p.relative(filepath.Join(p.dir, "load", "logs")))
}

func writeReport(file string, r load.Report) error {
	out, err := json.MarshalIndent(struct {
		load.Report
		AcknowledgedPerSecond float64  `json:"acknowledged_per_second"`
		CarriedPerSecond      float64  `json:"carried_per_second"`
		Wrong                 []string `json:"wrong"`
	}{r, r.Acknowledged(), r.Carried(), append([]string{}, r.Wrong()...)}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(out, '\n'), 0o644)
}

// loadView shows progress: on a terminal in one line rewritten in place,
// otherwise in an occasional line.
type loadView struct {
	out   *terminal
	shown time.Time
	spins int
}

func (v *loadView) show(p load.Progress) {
	v.spins++
	text := fmt.Sprintf("%-9s %s   %d/%d sent, %d acknowledged   %d waiting   runs %s   %.1f/s   worker %.0f MB",
		p.Phase, duration.Text(p.Elapsed), p.Sent.Events, p.Events, p.Sent.Acknowledged, p.Messages, runsByStatus(p.Runs), p.PerSecond, float64(p.Worker.Bytes)/(1<<20))
	if p.Left > 0 && p.Phase != "comparing" {
		text += "   " + duration.Text(p.Left) + " left"
	}
	v.out.passing("  %s %s", spinner(v.spins), text)
	if !v.out.live && time.Since(v.shown) >= patience {
		v.shown = time.Now()
		v.out.line("  · %s", text)
	}
}

func runsByStatus(runs map[surgical.RunStatus]int) string {
	var parts []string
	for _, status := range []surgical.RunStatus{surgical.StatusSucceeded, surgical.StatusRunning, surgical.StatusQueued, surgical.StatusFailed, surgical.StatusCancelled} {
		if n := runs[status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	if len(parts) == 0 {
		return "none yet"
	}
	return strings.Join(parts, ", ")
}

// showLoad prints the results as a table.
func (p *place) showLoad(r load.Report) {
	a, c := r.Account, r.Comparison
	row := func(label, format string, args ...any) {
		p.out.line("  %-34s %s", label, fmt.Sprintf(format, args...))
	}
	p.out.heading("Sent")
	row("events", "%d, including %d duplicates", r.Sent.Events, r.Sent.Duplicates)
	row("acknowledged", "%d in %s, %.1f/s", r.Sent.Acknowledged, duration.Text(inSeconds(r.Seconds.Sending)), r.Acknowledged())
	row("end-to-end throughput", "%.1f/s, idle %s after the last event", r.Carried(), duration.Text(inSeconds(r.Seconds.Draining)))
	row("resent after no response", "%d", r.Sent.Repeated)
	row("requests to GitLab", "%d, failed: %s", r.GitLabRequests, counted(r.GitLabFaults))
	p.out.heading("Accounted for")
	row("events, without duplicates", "%d", a.Events)
	row("committed by their own run", "%d", a.Committed)
	row("coalesced with another run", "%d", a.Coalesced)
	row("skipped, newer copy stored", "%d", a.SkippedStale)
	row("failed, cancelled, dead letters", "%d (%s), %d, %d", total(a.Failed), counted(a.Failed), a.Cancelled, a.DeadLetters)
	row("lost or wrong", "%d", len(a.Wrong)+len(r.Refused))
	row("time from receipt to end", "p50 %.1f s, p95 %.1f s; %d attempts", a.P50, a.P95, a.Attempts)
	if found := r.Recovery; found != nil {
		p.out.heading("One reconcile")
		row("events that were lost", "%d", found.Lost)
		row("copies that differed", "%d", found.Differing)
		row("requests for entities", "%d, %.1f for each of these copies", found.EntityRequests, float64(found.EntityRequests)/float64(max(1, found.Differing)))
		row("requests for lists and hooks", "%d", found.ListRequests)
		row("time until all had ended", "%s", duration.Text(inSeconds(found.Seconds)))
	}
	p.out.heading("Compared with GitLab")
	row("entities", "%d, with %d discussions and %d resource events", c.Entities, c.Discussions, c.Events)
	row("documents, embeddings", "%d, %d", c.Documents, c.Embeddings)
	row("differences", "%d", len(c.Differences))
	row("left behind", "%s", r.Left)
	p.out.heading("Resident memory, MB")
	p.out.line("  %-34s %8s %8s %8s %8s  %s", "", "start", "middle", "end", "peak", "processes")
	for _, m := range r.Memory {
		p.out.line("  %-34s %8.1f %8.1f %8.1f %8.1f  %d", shortFunction(m.Function), m.Start, m.Middle, m.End, m.Peak, m.Processes)
	}
	if r.LocalAWS.Resident > 0 {
		row("local AWS", "%.0f MB at the end, %.0f %% of one core on average", r.LocalAWS.Resident, 100*r.LocalAWS.Cores)
	}
	switch {
	case len(r.Memory) == 0:
		row("growth", "not measured: not available on this system")
	case !r.Worker.Enough():
		row("worker memory growth", "not assessed: the load was too short")
	case r.Worker.Grew() == "":
		row("worker memory growth", "none")
	default:
		row("worker memory growth", "%s", p.out.bad.Sprint(r.Worker.Grew()))
	}
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func total[K comparable](counts map[K]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// counted lists counts by name: "12 × 429, 9 × truncated".
func counted[K ~string](counts map[K]int) string {
	var parts []string
	for name, n := range counts {
		parts = append(parts, fmt.Sprintf("%d × %s", n, name))
	}
	if len(parts) == 0 {
		return "none"
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// shortFunction extracts the function's name within the stack from its full
// name.
func shortFunction(name string) string {
	parts := strings.Split(name, "-")
	return parts[min(1, len(parts)-1)]
}
