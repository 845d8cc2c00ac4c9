package ledger_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestClaimJob_TakesAJobWhoseLeaseIsOver(t *testing.T) {
	m := inMemory(t)
	run := m.committed("r", 7)
	first := m.claimJob(run, surgical.JobDocs, 7)
	// A function of the same or a newer generation is invoked only once the one
	// before has failed or died.
	for _, generation := range []int64{1, 9} {
		if job, err := m.ClaimJob(m.Context(), first, generation, time.Minute); err != nil || job.Generation != generation {
			t.Errorf("generation %d did not take over: %+v, %v", generation, job, err)
		}
	}
	for i, c := range []struct {
		after   time.Duration
		claimed bool
	}{{0, false}, {time.Minute - time.Microsecond, false}, {time.Microsecond, true}, {time.Second, false}} {
		m.now = m.now.Add(c.after)
		job, err := m.ClaimJob(m.Context(), first, 8-int64(i), time.Minute)
		if c.claimed != (err == nil) || err != nil && !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("%v later: %v", c.after, err)
		}
		if c.claimed && (job.Attempts != 4 || !job.LeaseUntil.Equal(m.now.Add(time.Minute)) || job.Status != surgical.JobClaimed) {
			t.Errorf("%v later: %+v", c.after, job)
		}
	}
	if _, err := m.ClaimJob(m.Context(), surgical.Job{RunID: "r", ID: "docs#issue#8"}, 1, time.Minute); !errors.Is(err, surgical.ErrMoved) {
		t.Errorf("a job that does not exist was claimed: %v", err)
	}
	if n := len(m.db.Items(m.tables.DependentQueue)); n != 1 {
		t.Errorf("%d jobs", n)
	}
}

// progressed is the job after some of its work.
func progressed(job surgical.Job) surgical.Job {
	job.Cursor, job.Regenerated, job.RegeneratedCount = "discussion#b", []string{"discussion#a", "discussion#b"}, 2
	job.DocumentsWritten, job.ChunksEmbedded, job.Unclean = 2, 5, true
	job.Warn("a is incomplete")
	why := *errBroken
	why.RunID = job.RunID
	job.Error = &why
	return job
}

func TestHandOn_LetsTheNextClaimContinue(t *testing.T) {
	m := inMemory(t)
	job := progressed(m.claimJob(m.committed("r", 7), surgical.JobDocs, 7))
	_, err := m.HandOn(m.Context(), job)
	m.must(err)
	next := m.claimJob(m.run("r"), surgical.JobDocs, 7) // at once, although the lease was not over
	job.Attempts = 2
	if diff := cmp.Diff(job, next, errorsByText); diff != "" {
		t.Errorf("the next claim (-want +got):\n%s", diff)
	}
}

// An earlier claim cannot change a job that it no longer holds.
func TestJobs_OfAClaimThatWasLostStayAsTheyAre(t *testing.T) {
	for name, write := range map[string]func(m *memory, job surgical.Job) error{
		"hand on": func(m *memory, job surgical.Job) error { _, err := m.HandOn(m.Context(), job); return err },
		"fail":    func(m *memory, job surgical.Job) error { return m.FailJob(m.Context(), job) },
		"finish":  func(m *memory, job surgical.Job) error { return m.finish(job, ledger.Settled()) },
		"finish, and leave it to embed": func(m *memory, job surgical.Job) error {
			return m.finish(job, ledger.LeftToEmbed(jobFor("r", surgical.JobEmbed, issue(7))))
		},
	} {
		for lost, move := range map[string]func(m *memory, job surgical.Job){
			"its lease expired": func(m *memory, job surgical.Job) {
				m.now = m.now.Add(time.Hour)
				m.claimJob(m.run("r"), surgical.JobDocs, 7)
			},
			"it was given back": func(m *memory, job surgical.Job) { _, err := m.HandOn(m.Context(), job); m.must(err) },
			"it is done":        func(m *memory, job surgical.Job) { m.must(m.finish(job, ledger.LeftDirty())) },
			"its run ended": func(m *memory, job surgical.Job) {
				_, err := m.Close(m.Context(), m.run("r"), surgical.Cancelled{Error: errBroken})
				m.must(err)
			},
		} {
			m := inMemory(t)
			job := m.claimJob(m.committed("r", 7), surgical.JobDocs, 7)
			m.leave(source(job.DirtyID, "r", 7, 3))
			move(m, job)
			before := m.stored()
			if err := write(m, progressed(job)); !errors.Is(err, surgical.ErrMoved) || !reflect.DeepEqual(before, m.stored()) || len(m.dirty(issue(7))) != 1 {
				t.Errorf("%s after %s: %v", name, lost, err)
			}
		}
	}
}

func TestFinishJob_PassesTheDirtySourceOnOrDeletesIt(t *testing.T) {
	embed := jobFor("r", surgical.JobEmbed, issue(7))
	embed.Scope, embed.Regenerated, embed.RegeneratedCount = surgical.Scope{}, []string{"entity"}, 1
	for name, c := range map[string]struct {
		done  ledger.Done
		dirty int
		jobs  []string
		docs  time.Duration // how long before now
		embed time.Duration
	}{
		"settled":       {ledger.Settled(), 0, []string{"docs#issue#7 done "}, 0, 0},
		"embedded":      {ledger.EmbeddedSince(inMemory(t).now), 0, []string{"docs#issue#7 done "}, time.Second, time.Second},
		"left to embed": {ledger.LeftToEmbed(embed), 1, []string{"docs#issue#7 done ", "embed#issue#7 pending "}, 0, 0},
		"left dirty":    {ledger.LeftDirty(), 1, []string{"docs#issue#7 done "}, 0, 0},
	} {
		m := inMemory(t)
		job := progressed(m.claimJob(m.committed("r", 7), surgical.JobDocs, 7))
		m.leave(source(job.DirtyID, "r", 7, 3), source("s.1", "s", 7, 4)) // a later run's own
		_, finished, err := m.FinishJob(m.Context(), surgical.Run{}, job, c.done)
		m.must(err)
		if embedded := name == "embedded"; (len(finished.Regenerated) == 0 && !finished.RegeneratedAll) != embedded || finished.Status != surgical.JobDone {
			t.Errorf("%s: the job is %s and leaves %q to embed", name, finished.Status, finished.Regenerated)
		}
		run, left := m.run("r"), len(m.dirty(issue(7)))-1
		if got := m.jobs("r"); left != c.dirty || !slices.Equal(got, c.jobs) || run.JobsInserted != int64(len(c.jobs)) {
			t.Errorf("%s: %d dirty sources, jobs %v, %d inserted", name, left, got, run.JobsInserted)
		}
		if got := fmt.Sprint(run.Counters.DocumentsWritten, run.Counters.DocumentsRegenerated, run.Counters.ChunksEmbedded); got != "2 2 5" || m.now.Sub(run.Marks.DocsEnded) != c.docs {
			t.Errorf("%s: counted %s, docs ended at %v", name, got, run.Marks.DocsEnded)
		}
		if took := run.Marks.EmbedEnded.Sub(run.Marks.EmbedStarted); took != c.embed || c.embed > 0 && !run.Marks.EmbedEnded.Equal(m.now) {
			t.Errorf("%s: embedded from %v to %v", name, run.Marks.EmbedStarted, run.Marks.EmbedEnded)
		}
	}
	m := inMemory(t)
	m.must(m.finish(m.claimJob(m.committed("r", 7), surgical.JobDocs, 7), ledger.LeftToEmbed(embed)))
	m.leave(source(embed.DirtyID, "r", 7, 3))
	claimed := m.claimJob(m.run("r"), surgical.JobEmbed, 7)
	if want := embed; !cmp.Equal(claimed.Regenerated, want.Regenerated) || claimed.RegeneratedCount != 1 || claimed.DirtyID != want.DirtyID {
		t.Errorf("the embed job: %+v", claimed)
	}
	claimed.ChunksEmbedded = 5
	m.must(m.finish(claimed, ledger.Settled()))
	if run := m.run("r"); run.Counters.ChunksEmbedded != 5 || !run.Marks.EmbedEnded.Equal(m.now) || len(m.dirty(issue(7))) > 0 {
		t.Errorf("after embed: %+v, %v", run, m.dirty(issue(7)))
	}
}

// The run's row decides, not the job's: a job that no closing aborted is not
// finished once its run has ended.
func TestFinishJob_OfARunThatEndedIsRefused(t *testing.T) {
	for _, done := range []ledger.Done{ledger.Settled(), ledger.LeftToEmbed(jobFor("r", surgical.JobEmbed, issue(7))), ledger.LeftDirty()} {
		m := inMemory(t)
		job := m.claimJob(m.committed("r", 7), surgical.JobDocs, 7)
		ended := m.row("r")
		ended["status"] = str("failed")
		_, err := m.db.Client().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &m.tables.SyncRuns, Item: ended})
		m.must(err)
		if err := m.finish(job, done); !errors.Is(err, surgical.ErrMoved) || !slices.Equal(m.jobs("r"), []string{"docs#issue#7 claimed "}) {
			t.Errorf("%v, jobs %v", err, m.jobs("r"))
		}
	}
}

// A throttled transaction does not mean that the claim is lost: the stage releases
// the job and tries again.
func TestFinishJob_TellsALostClaimFromAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // throttled writes wait before they are sent again
		for code, moved := range map[string]bool{"ConditionalCheckFailed": true, "ThrottlingError": false, "ValidationError": false} {
			m := inMemory(t)
			job := m.claimJob(m.committed("r", 7), surgical.JobDocs, 7)
			answer := &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: aws.String("None")}, {Code: aws.String(code)}}}
			failing[*dynamodb.TransactWriteItemsInput](m, false, answer)
			err := m.finish(job, ledger.Settled())
			if errors.Is(err, surgical.ErrMoved) != moved || !moved && !errors.Is(err, answer) {
				t.Errorf("%s: %v", code, err)
			}
			m.around = nil
			if got := m.jobs("r"); !slices.Equal(got, []string{"docs#issue#7 claimed "}) {
				t.Errorf("%s: %v", code, got)
			}
		}
	})
}

// An execution records its generation if its launcher died before it could, and
// one that was overtaken does nothing.
func TestEnterStage_GoesByTheNewestGeneration(t *testing.T) {
	for name, c := range map[string]struct {
		known, entered int64
		want           int64 // generation of the row; 0: refused
	}{
		"the first, recorded by its execution": {0, 1, 1}, "recorded before": {1, 1, 1},
		"a newer one": {1, 2, 2}, "one that was overtaken": {2, 1, 0},
	} {
		m := inMemory(t)
		run := m.committed("r", 7)
		if c.known > 0 {
			m.must(m.WorkflowStarted(m.Context(), run, c.known, true))
		}
		launched := m.run("r").GenerationStartedAt
		m.now = m.now.Add(time.Second)
		run, err := m.EnterStage(m.Context(), "r", surgical.StageEmbed, c.entered)
		if c.want == 0 {
			if !errors.Is(err, surgical.ErrMoved) || m.run("r").Stage != surgical.StageDocs {
				t.Errorf("%s: %v, stage %s", name, err, m.run("r").Stage)
			}
			continue
		}
		if err != nil || run.Generation != c.want || run.Stage != surgical.StageEmbed || !run.Marks.EmbedStarted.Equal(m.now) {
			t.Errorf("%s: %+v, %v", name, run, err)
		}
		if want := launched; c.known == c.entered && !run.GenerationStartedAt.Equal(want) || c.known != c.entered && !run.GenerationStartedAt.Equal(m.now) {
			t.Errorf("%s: launched at %v", name, run.GenerationStartedAt)
		}
		// A state that is retried keeps the time at which its stage began.
		began := m.now
		m.now = m.now.Add(time.Second)
		if again, err := m.EnterStage(m.Context(), "r", surgical.StageEmbed, c.entered); err != nil || !again.Marks.EmbedStarted.Equal(began) {
			t.Errorf("%s, entered again: began at %v, %v", name, again.Marks.EmbedStarted, err)
		}
	}
	for name, run := range map[string]func(m *memory){
		"uncommitted": func(m *memory) { m.claimed("r", 7) },
		"ended": func(m *memory) {
			_, err := m.Close(m.Context(), m.committed("r", 7), surgical.Failed{Error: errBroken})
			m.must(err)
		},
		"absent": func(*memory) {},
	} {
		m := inMemory(t)
		run(m)
		if _, err := m.EnterStage(m.Context(), "r", surgical.StageDocs, 1); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The launcher records the generation while the execution that it started does so too: the
// execution must go on, because nothing else would for minutes.
func TestEnterStage_GoesOnIfItsLauncherIsFaster(t *testing.T) {
	m := inMemory(t)
	committed := m.committed("r", 7)
	m.around = func(_ any, send func() (any, error)) (any, error) {
		out, err := send() // the first call finds no generation
		m.around = nil
		m.must(m.WorkflowStarted(m.Context(), committed, 1, true))
		return out, err
	}
	run, err := m.EnterStage(m.Context(), "r", surgical.StageDocs, 1)
	if err != nil || run.Generation != 1 || run.Stage != surgical.StageDocs {
		t.Errorf("%+v, %v", run, err)
	}
}

func TestWorkflowStarted_NeverGoesBack(t *testing.T) {
	for _, clean := range []bool{true, false} {
		m := inMemory(t)
		run := m.committed("r", 7)
		m.must(m.WorkflowStarted(m.Context(), run, 2, clean))
		if got := m.run("r"); got.SweepPending == clean || !got.LeaseUntil.IsZero() || got.Generation != 2 {
			t.Errorf("clean %v: %+v", clean, got)
		}
		if err := m.WorkflowStarted(m.Context(), run, 1, true); !errors.Is(err, surgical.ErrMoved) || m.run("r").Generation != 2 {
			t.Errorf("an older generation was recorded: %v", err)
		}
		m.must(m.WorkflowStarted(m.Context(), run, 2, false)) // the launcher that found it running already
	}
}

// setback is why an execution ended early.
func (m *memory) setback(lost bool) ledger.Setback {
	return ledger.Setback{Error: errBroken, Lost: lost, ResumeAt: m.now.Add(time.Minute)}
}

// A launcher may record its execution after that was postponed.
func TestWorkflowStarted_KeepsWhatItsExecutionRecorded(t *testing.T) {
	m := inMemory(t)
	run := m.committed("r", 7)
	_, err := m.EnterStage(m.Context(), "r", surgical.StageDocs, 1)
	m.must(err)
	want, err := m.Postpone(m.Context(), run, 1, m.setback(false))
	m.must(err)
	m.now = m.now.Add(time.Second)
	m.must(m.WorkflowStarted(m.Context(), run, 1, true))
	want.SweepPending, want.LeaseUntil = false, time.Time{}
	if diff := cmp.Diff(want, m.run("r"), errorsByText); diff != "" {
		t.Errorf("the launcher of the same generation (-want +got):\n%s", diff)
	}
	m.must(m.WorkflowStarted(m.Context(), run, 2, true))
	if got := m.run("r"); !got.ResumeAt.IsZero() || got.Generation != 2 || !got.GenerationStartedAt.Equal(m.now) {
		t.Errorf("the next generation: %d since %v, resumed at %v", got.Generation, got.GenerationStartedAt, got.ResumeAt)
	}
}

func TestPostpone_CountsEachGenerationOnce(t *testing.T) {
	m := inMemory(t)
	run := m.committed("r", 7)
	for generation := range int64(3) {
		generation++
		if generation == 2 { // of the others, nobody recorded the start
			m.must(m.WorkflowStarted(m.Context(), run, generation, true))
		}
		want, err := m.Postpone(m.Context(), run, generation, m.setback(true))
		m.must(err)
		if !want.Postponed(generation) || want.FailedStages != generation || want.LostStages != generation || !want.ResumeAt.Equal(m.now.Add(time.Minute)) {
			t.Errorf("generation %d: %+v", generation, want)
		}
		m.now = m.now.Add(time.Second)
		again, err := m.Postpone(m.Context(), run, generation, m.setback(true))
		if diff := cmp.Diff(want, again, errorsByText); err != nil || diff != "" {
			t.Errorf("generation %d again: %v (-want +got):\n%s", generation, err, diff)
		}
		if _, err := m.Postpone(m.Context(), run, generation-1, m.setback(true)); !errors.Is(err, surgical.ErrMoved) {
			t.Errorf("generation %d, an older one: %v", generation, err)
		}
	}
	_, err := m.Close(m.Context(), m.run("r"), surgical.Failed{Error: errBroken})
	m.must(err)
	if _, err := m.Postpone(m.Context(), run, 3, m.setback(false)); !errors.Is(err, surgical.ErrMoved) {
		t.Errorf("a run that has ended: %v", err)
	}
}

func TestJobs_ThatCannotBeReadAreReported(t *testing.T) {
	broken := errors.New("broken")
	m := inMemory(t)
	run := m.committed("r", 7)
	failing[*dynamodb.QueryInput](m, false, broken)
	if _, err := m.Jobs(m.Context(), "r"); !errors.Is(err, broken) {
		t.Errorf("a list that was not read: %v", err)
	}
	m.around = nil
	for _, odd := range []dynamo.Item{
		{"scope_run_id": str("r"), "job_id": str("x"), "entity": str("nothing")},
		{"scope_run_id": str("r"), "job_id": str("x"), "entity": str(issue(7).Key()), "attempts": str("x")},
	} {
		_, err := m.db.Client().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &m.tables.DependentQueue, Item: odd})
		m.must(err)
		if jobs, err := m.Jobs(m.Context(), "r"); err == nil {
			t.Errorf("%v is read as a job: %v", odd, jobs)
		}
		// A run whose jobs are unknown does not end: one of them may be open.
		if _, err := m.Close(m.Context(), run, surgical.Failed{Error: errBroken}); err == nil || m.run("r").Status != surgical.StatusRunning {
			t.Errorf("the run ended although %v could not be read", odd)
		}
	}
}
