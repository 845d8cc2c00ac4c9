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

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/load"
)

type loadCommand struct {
	Events     int           `default:"20000" help:"Deliveries, duplicates included."`
	Entities   int           `default:"2000" help:"Issues and merge requests that they tell of."`
	Seed       uint64        `default:"1" help:"The same seed is the same load."`
	Duplicates float64       `default:"0.05" help:"Share of the events that repeat an earlier one."`
	Disorder   float64       `default:"0.10" help:"Share of the others that come behind a later event of their entity."`
	Faults     float64       `default:"0.02" help:"Share of GitLab's answers that are spoilt."`
	Lanes      int           `default:"4" help:"Events on their way to the endpoint at once."`
	Rate       float64       `default:"0" help:"Events a second at most; 0 for as many as the endpoint acknowledges."`
	Patience   time.Duration `default:"25m" help:"How long the stack may stand still. A backlog is drained after 15 minutes."`
	NoAuth     bool          `name:"no-auth" help:"Do not enforce IAM on the local AWS."`
}

// gitlabRate lets the worker ask as fast as the stack is: this GitLab has no
// budget to be spared.
const gitlabRate = 1000

// Run implements the command. The load has a stack and a GitLab of its own,
// which begin empty and end with it.
func (c *loadCommand) Run(ctx context.Context, p *place) error {
	shape := load.Shape{
		Events: c.Events, Entities: c.Entities, Seed: c.Seed, Duplicates: c.Duplicates, Disorder: c.Disorder, Faults: c.Faults,
	}
	if err := shape.Validate(); err != nil {
		return err
	}
	p.out.heading("Lorehook under load")
	p.out.line("")
	dir := filepath.Join(p.dir, "load")
	if _, err := devstack.Down(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	gitlab := fakegitlab.New(fakegitlab.Options{Token: devstack.DemoGitLabToken, Empty: true})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: gitlab, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener)
	defer server.Close()
	progress := &steps{out: p.out}
	stack, err := devstack.Up(ctx, devstack.StackOptions{
		Root: p.root, Dir: dir, Name: "load", GitLabBaseURL: "http://" + listener.Addr().String(), GitLabToken: devstack.DemoGitLabToken,
		GitLabRequestsPerSecond: gitlabRate, NoAuth: c.NoAuth, Progress: progress.begin,
	})
	if err != nil {
		progress.fail()
		return err
	}
	progress.end()
	defer func() { _ = stack.Stop() }() // it ends with this process in any case
	return c.load(ctx, p, load.NewTarget(stack, gitlab), shape)
}

func (c *loadCommand) load(ctx context.Context, p *place, target *load.Target, shape load.Shape) error {
	p.out.line("\n  %d events over %d entities, seed %d: %.0f %% twice, %.0f %% out of order, %.0f %% of GitLab's answers spoilt\n",
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
		p.out.line("  %s", p.out.good.Sprint("Every acknowledged event is accounted for, and every copy, document and embedding is what GitLab's truth renders to."))
		return nil
	}
	const shown = 20
	p.out.heading(count(len(wrong), "thing") + " not as it should be")
	for _, w := range wrong[:min(shown, len(wrong))] {
		p.out.line("  %s %s", p.out.bad.Sprint("✗"), w)
	}
	return errors.New("the load failed; all of it is in " + p.relative(file) + ", logs are in " + p.relative(filepath.Join(p.dir, "load", "logs")))
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

// loadView shows how far a load is: in one line that changes where the output
// is a terminal, else in a line now and then.
type loadView struct {
	out   *terminal
	shown time.Time
	spins int
}

func (v *loadView) show(p load.Progress) {
	v.spins++
	text := fmt.Sprintf("%-9s %s   %d/%d sent, %d acknowledged   %d waiting   runs %s   %.1f/s   worker %.0f MB",
		p.Phase, seconds(p.Elapsed), p.Sent.Events, p.Events, p.Sent.Acknowledged, p.Messages, runsByStatus(p.Runs), p.PerSecond, float64(p.Worker.Bytes)/(1<<20))
	if p.Left > 0 && p.Phase != "comparing" {
		text += "   " + seconds(p.Left) + " left"
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

// showLoad prints the table of a load.
func (p *place) showLoad(r load.Report) {
	a, c := r.Account, r.Comparison
	row := func(label, format string, args ...any) {
		p.out.line("  %-34s %s", label, fmt.Sprintf(format, args...))
	}
	p.out.heading("Sent")
	row("events", "%d, of them %d duplicates", r.Sent.Events, r.Sent.Duplicates)
	row("acknowledged", "%d in %s, %.1f a second", r.Sent.Acknowledged, seconds(duration(r.Seconds.Sending)), r.Acknowledged())
	row("through the whole stack", "%.1f a second, at rest %s after the last", r.Carried(), seconds(duration(r.Seconds.Draining)))
	row("sent again without an answer", "%d", r.Sent.Repeated)
	row("requests to GitLab", "%d, of them spoilt: %s", r.GitLabRequests, counted(r.GitLabFaults))
	p.out.heading("Accounted for")
	row("events, without duplicates", "%d", a.Events)
	row("committed by their own run", "%d", a.Committed)
	row("coalesced with another run", "%d", a.Coalesced)
	row("left to a newer copy", "%d", a.SkippedStale)
	row("failed, cancelled, dead letters", "%d (%s), %d, %d", total(a.Failed), counted(a.Failed), a.Cancelled, a.DeadLetters)
	row("lost or wrong", "%d", len(a.Wrong)+len(r.Refused))
	row("from receipt to end", "median %.1f s, 95 %% within %.1f s; %d attempts", a.P50, a.P95, a.Attempts)
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
		row("the local AWS itself", "%.0f MB in the end, %.0f %% of one core all along", r.LocalAWS.Resident, 100*r.LocalAWS.Cores)
	}
	switch {
	case len(r.Memory) == 0:
		row("growth", "not measured: this system does not tell")
	case !r.Worker.Enough():
		row("growth of the worker", "not judged: the load was too short")
	case r.Worker.Grew() == "":
		row("growth of the worker", "none")
	default:
		row("growth of the worker", "%s", p.out.bad.Sprint(r.Worker.Grew()))
	}
}

func duration(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func total[K comparable](counts map[K]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// counted lists counts by name: "12 429, 9 truncated".
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

// shortFunction cuts the name in the stack out of a function's real name.
func shortFunction(name string) string {
	parts := strings.Split(name, "-")
	return parts[min(1, len(parts)-1)]
}
