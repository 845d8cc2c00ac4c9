package upgrade_test

import (
	gocmp "cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/erasure"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

const (
	// previous is the release before this version, as a tag or commit: an upgrade from it
	// needs no other step. Move it to the tag of each release once that is published, as
	// docs/releasing.md says. 2f8f07a is the preview, before the first release.
	previous = "2f8f07a"
	// from names another version to test an upgrade from, such as an older release.
	from = "LOREHOOK_UPGRADE_FROM"
	// full requests the test: it builds the functions of both versions.
	full = "LOREHOOK_FULL_UPGRADE"

	secretToken, accessToken = "sample-secret-token", "glpat-not-a-real-token"
)

// functions are those of which either version may handle a change, in the order in which
// they do.
func functions() []string { return []string{"webhook", "worker", "docs", "embed", "finish"} }

// world is both versions' functions on one AWS and one GitLab.
type world struct {
	*testing.T
	services *services
	gitlab   *fakegitlab.Server
	fetcher  *gitlab.Client
	db       *dynamodb.Client
	tables   config.Tables
	ledger   *ledger.Ledger
	content  *content.Store
	reader   *content.Reader
	// running are the functions of the old version and of this one, by name.
	running [2]map[string]*lambda
	// workflow are both versions' state machines.
	workflow [2]*stepfunctions.Machine
	// taking is the mixture that takes the next delivery.
	taking mixture
	// mixtures says which versions handle an entity.
	mixtures map[surgical.EntityRef]mixture
}

// mixture has a bit for each function: 1 is this version.
type mixture int

func (m mixture) version(i int) int { return int(m>>i) & 1 }

// of is the version of the named function, or of the workflow: the state machine of the
// webhook's version meets docs of either.
func (m mixture) of(function string) int {
	switch function {
	case "abort":
		function = "docs"
	case "workflow":
		function = "webhook"
	}
	return m.version(slices.Index(functions(), function))
}

// String names the versions: "old webhook, new worker, …". The workflow is that of the
// webhook.
func (m mixture) String() string {
	var parts []string
	for i, f := range functions() {
		parts = append(parts, []string{"old ", "new "}[m.version(i)]+f)
	}
	return strings.Join(parts, ", ")
}

// build compiles the functions of the tree into a directory.
func build(t *testing.T, tree string) string {
	t.Helper()
	out := t.TempDir()
	args := []string{"build", "-buildvcs=false", "-o", out + string(filepath.Separator)}
	for _, f := range append(functions(), "abort") {
		args = append(args, "./functions/"+f)
	}
	command(t, tree, "go", args...)
	return out
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// checkedOut puts the tree of the previous release into a directory.
func checkedOut(t *testing.T, root string) string {
	t.Helper()
	version := gocmp.Or(os.Getenv(from), previous)
	t.Logf("the old functions are those of %s", version)
	if err := exec.CommandContext(t.Context(), "git", "-C", root, "cat-file", "-e", version+"^{commit}").Run(); err != nil {
		t.Skipf("NOT TESTED: the history has no commit %s (a shallow clone?): %v", version, err)
	}
	tree := t.TempDir()
	command(t, root, "sh", "-c", fmt.Sprintf("git archive %s | tar -xf - -C '%s'", version, tree))
	return tree
}

func newWorld(t *testing.T, e engines.Engine) *world {
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	old := checkedOut(t, root)
	w := &world{T: t, mixtures: map[surgical.EntityRef]mixture{}}
	w.services = newServices(t, aws.ToString(e.DynamoDB.Options().BaseEndpoint))
	aws := httptest.NewServer(w.services)
	t.Cleanup(aws.Close)
	w.gitlab = fakegitlab.New(fakegitlab.Options{Token: accessToken})
	server := httptest.NewServer(w.gitlab)
	t.Cleanup(server.Close)
	// Both versions use the same model. Feature hashing, the older one's default, is gone.
	model := httptest.NewServer(fakeembedder.Handler())
	t.Cleanup(model.Close)
	env := []string{
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_ENDPOINT_URL=" + aws.URL,
		"GITLAB_BASE_URL=" + server.URL, "GITLAB_TOKEN=" + accessToken, "GITLAB_WEBHOOK_SECRET_TOKENS=" + secretToken,
		"LOREHOOK_PROJECTS=*", "LOREHOOK_EMBEDDER=openai", "LOREHOOK_EMBEDDER_URL=" + model.URL + "/v1", "LOREHOOK_EMBEDDER_MODEL=" + fakeembedder.Name, "LOREHOOK_GITLAB_REQUESTS_PER_SECOND=1000",
		"LOREHOOK_STATE_MACHINE_ARN=arn:aws:states:us-east-1:000000000000:stateMachine:lorehook",
		"LOREHOOK_REQUESTS_QUEUE_URL=" + queueURL("requests.fifo"), "LOREHOOK_HIDES_QUEUE_URL=" + queueURL("hides.fifo"),
		"LOREHOOK_BULK_QUEUE_URL=" + queueURL("bulk.fifo"), "LOREHOOK_DEAD_LETTER_QUEUE_URL=" + queueURL("dead-letters.fifo"),
		"LOREHOOK_TABLE_CONTENT=" + e.Tables.Content, "LOREHOOK_TABLE_SYNC_RUNS=" + e.Tables.SyncRuns, "LOREHOOK_TABLE_SYNC_RUN_ENTITIES=" + e.Tables.SyncRunEntities,
		"LOREHOOK_TABLE_DIRTY_SOURCES=" + e.Tables.DirtySources, "LOREHOOK_TABLE_DEPENDENT_QUEUE=" + e.Tables.DependentQueue,
		"LOREHOOK_TABLE_STATE=" + e.Tables.State, "LOREHOOK_TABLE_PROJECTS=" + e.Tables.Projects, "LOREHOOK_TABLE_FEED=" + e.Tables.Feed,
	}
	for version, tree := range []string{old, root} {
		definition, err := os.ReadFile(filepath.Join(tree, "infra", "workflow.asl.json"))
		if err != nil {
			t.Fatal(err)
		}
		if w.workflow[version], err = stepfunctions.Parse(definition); err != nil {
			t.Fatal(err)
		}
		binaries := build(t, tree)
		w.running[version] = map[string]*lambda{}
		for _, f := range append(functions(), "abort") {
			w.running[version][f] = start(t, filepath.Join(binaries, f), env)
		}
	}
	if w.fetcher, err = gitlab.NewClient(gitlab.Options{
		BaseURL: server.URL, Clock: time.Now, Token: func(context.Context) (string, error) { return accessToken, nil },
	}); err != nil {
		t.Fatal(err)
	}
	w.db, w.tables, w.ledger = e.DynamoDB, e.Tables, ledger.New(e.DynamoDB, e.Tables, time.Now)
	w.content = content.NewStore(e.DynamoDB, e.Tables.Content, time.Now)
	w.reader = w.content.ForReaders(nil, surgical.Include)
	hook := httptest.NewServer(http.HandlerFunc(w.receive))
	t.Cleanup(hook.Close)
	r := httptest.NewRequest(http.MethodPost, "/api/v4/projects/1/hooks", strings.NewReader(fmt.Sprintf(
		`{"url":%q,"token":%q,"issues_events":true,"confidential_issues_events":true,"note_events":true,"confidential_note_events":true,"merge_requests_events":true}`, hook.URL+delivery.Path, secretToken)))
	r.Header.Set("PRIVATE-TOKEN", accessToken)
	added := httptest.NewRecorder()
	if w.gitlab.ServeHTTP(added, r); added.Code != http.StatusCreated {
		t.Fatalf("the hook: %d %s", added.Code, added.Body)
	}
	return w
}

// receive hands a delivery to the webhook of one of the versions, as the gateway does.
func (w *world) receive(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.Error(err)
	}
	request := events.APIGatewayV2HTTPRequest{Version: "2.0", RouteKey: "POST " + delivery.Path, RawPath: delivery.Path, Headers: map[string]string{}, Body: string(body)}
	for name := range r.Header {
		request.Headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	request.RequestContext.HTTP.Method, request.RequestContext.HTTP.Path = http.MethodPost, delivery.Path
	payload, err := json.Marshal(request)
	if err != nil {
		w.Error(err)
	}
	answer, err := w.running[w.taking.of("webhook")]["webhook"].invoke(payload)
	var response events.APIGatewayV2HTTPResponse
	if err == nil {
		err = json.Unmarshal(answer, &response)
	}
	if err != nil || response.StatusCode != http.StatusAccepted {
		w.Errorf("the webhook (%s) answers %d %s, error %v", w.taking, response.StatusCode, response.Body, err)
	}
	rw.WriteHeader(http.StatusAccepted)
}

// deliver lets GitLab deliver an event of the entity.
func (w *world) deliver(ref surgical.EntityRef, note bool) {
	w.taking = w.mixtures[ref]
	if n := w.gitlab.Send(w.Context(), ref, note); n != 1 {
		w.Fatalf("%d deliveries of %s", n, ref)
	}
}

// work handles messages and executions until none is left.
func (w *world) work() {
	for m := w.services.next(); m != nil; m = w.services.next() {
		time.Sleep(time.Until(m.due)) // the queue's delay
		req, err := queue.Decode(m.record.Body)
		if err != nil {
			w.Fatal(err)
		}
		if m.tries++; m.tries > 20 {
			w.Fatalf("the message of %s is handled for the twentieth time:\n%s", req.Refs()[0], m.record.Body)
		}
		mixture := w.mixtures[req.Refs()[0]]
		if m.queue == "hides.fifo" {
			mixture |= 1 << slices.Index(functions(), "worker") // the old version does not have the queue
		}
		payload, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{m.record}})
		if err != nil {
			w.Fatal(err)
		}
		answer, err := w.running[mixture.of("worker")]["worker"].invoke(payload)
		var response events.SQSEventResponse
		if err == nil {
			err = json.Unmarshal(answer, &response)
		}
		if err != nil {
			w.Fatalf("the worker (%s): %v", mixture, err)
		}
		if len(response.BatchItemFailures) == 0 {
			w.services.done(m)
		}
		for inputs := w.services.started(); len(inputs) > 0; inputs = w.services.started() {
			for _, input := range inputs {
				w.execute(mixture, input)
			}
		}
	}
}

// execute runs an execution of the workflow.
func (w *world) execute(m mixture, input json.RawMessage) {
	e, err := w.workflow[m.of("workflow")].Start(input)
	if err != nil {
		w.Fatal(err)
	}
	for e.Status == stepfunctions.Running {
		call := e.Call()
		answer, err := w.running[m.of(call.Function)][call.Function].invoke(call.Payload)
		var failed *invocationError
		switch {
		case errors.As(err, &failed):
			w.Logf("%s (%s): %v", call.Function, m, failed)
			e.Fail(failed.failure())
		case err != nil:
			w.Fatal(err)
		default:
			e.Succeed(answer)
		}
	}
	if e.Status != stepfunctions.Succeeded {
		w.Errorf("the execution of %s (%s) is %s", input, m, e.Status)
	}
}

// check compares the copy of the entity with GitLab, and documents and embeddings with
// the copy.
func (w *world) check(ref surgical.EntityRef) {
	w.Helper()
	m := w.mixtures[ref]
	truth, err := w.fetcher.Fetch(w.Context(), ref)
	if err != nil {
		w.Fatal(err)
	}
	entity, err := w.reader.Read(w.Context(), ref)
	if err != nil {
		w.Errorf("%s (%s): %v", ref, m, err)
		return
	}
	want, got := []any{w.stable(truth.Entity)}, []any{w.stable(entity.Entity)}
	for _, child := range truth.Children {
		want = append(want, w.plain(child.Raw))
	}
	discussions := 0
	for _, raw := range entity.Discussions {
		got = append(got, w.plain(raw))
		discussions++
	}
	for _, list := range entity.Events {
		for _, raw := range list {
			got = append(got, w.plain(raw))
		}
	}
	byText := func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(want, byText)
	slices.SortFunc(got, byText)
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (%s) (-GitLab +copy):\n%s", ref, m, diff)
	}
	documents, err := w.content.Documents(w.Context(), ref)
	if err != nil {
		w.Fatal(err)
	}
	embedded, err := w.content.Embedded(w.Context(), ref)
	if err != nil {
		w.Fatal(err)
	}
	if len(documents) != discussions+1 || len(embedded) != len(documents) {
		w.Errorf("%s (%s): %d documents and %d embeddings of %d discussions", ref, m, len(documents), len(embedded), discussions)
	}
}

func (w *world) plain(raw json.RawMessage) (value any) {
	if err := json.Unmarshal(raw, &value); err != nil {
		w.Fatal(err)
	}
	return value
}

// stable is the entity without the fields that a copy has from its last real change.
func (w *world) stable(raw json.RawMessage) any {
	value, ok := w.plain(raw).(map[string]any)
	if !ok {
		w.Fatalf("%s is not an object", raw)
	}
	for _, field := range content.VolatileFields() {
		delete(value, field)
	}
	return value
}

// Every mixture of old and new functions handles the same changes, each of an issue of its
// own.
func TestUpgrade_EveryMixtureOfVersionsKeepsTheCopyTrue(t *testing.T) {
	if os.Getenv(full) == "" {
		t.Skip("only with " + full + "=1 (make upgrade-test)")
	}
	engines.RunOnMinistack(t, func(t *testing.T, e engines.Engine) {
		w := newWorld(t, e)
		var refs []surgical.EntityRef
		created := fakegitlab.Time{Time: time.Now().UTC().Add(-time.Hour)}
		for m := range mixture(1 << len(functions())) {
			ref := fakegitlab.IssueRef(100 + int64(m))
			w.gitlab.SetIssue(fakegitlab.NewIssue(ref.IID, "An issue", "What it is about.", created))
			w.gitlab.AddDiscussion(ref, fakegitlab.Note{Body: "The first comment."})
			w.mixtures[ref] = m
			refs = append(refs, ref)
		}
		for _, c := range []struct {
			name   string
			note   bool
			change func(ref surgical.EntityRef)
		}{
			{"opened", false, func(surgical.EntityRef) {}},
			{"commented", true, func(ref surgical.EntityRef) {
				w.gitlab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."}, fakegitlab.Note{Body: "And a reply."})
			}},
			{"edited", false, func(ref surgical.EntityRef) {
				w.gitlab.Edit(ref, func(c *fakegitlab.Common) {
					c.Title, c.Description = "Another title", strings.Repeat("A longer text. ", 500)
				})
				w.gitlab.Relabel(ref, []string{"upgraded"}, nil)
			}},
			{"reduced", false, func(ref surgical.EntityRef) {
				all := w.gitlab.Discussions(ref)
				w.gitlab.DeleteDiscussion(ref, all[len(all)-1].ID)
				w.gitlab.SetState(ref, "closed")
			}},
		} {
			for _, ref := range refs {
				if c.name != "opened" { // who handled the last change does not handle this one
					w.mixtures[ref] = ^w.mixtures[ref] & (1<<len(functions()) - 1)
				}
				c.change(ref)
				w.deliver(ref, c.note)
			}
			w.work()
			for _, ref := range refs {
				w.check(ref)
			}
			if t.Failed() {
				t.Fatalf("after each was %s", c.name)
			}
		}
		t.Logf("%d mixtures, 4 changes each", len(refs))
		w.hides(refs)
		w.erases(refs)
	})
}

// hides lets every issue turn confidential: whatever the mixture, none is shown as public.
func (w *world) hides(refs []surgical.EntityRef) {
	for _, ref := range refs {
		w.gitlab.EditIssue(ref, func(i *fakegitlab.Issue) { i.Confidential = true })
		w.deliver(ref, false)
	}
	w.work()
	public := w.content.ForReaders(nil, surgical.Exclude)
	for _, ref := range refs {
		if _, err := public.Read(w.Context(), ref); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
			w.Errorf("%s (%s) is confidential, and reading it as public ends with %v", ref, w.mixtures[ref], err)
		}
		w.check(ref)
	}
}

// erases lets deliveries of erased issues arrive. A worker of the old version does not know
// that they are erased, and stores them again; the sweeper of this version, which goes on
// with every erasure for [surgical.EraseSettle], erases them again.
func (w *world) erases(refs []surgical.EntityRef) {
	eraser := erasure.New(w.db, w.tables.Content, w.ledger, time.Now)
	for _, ref := range refs {
		if _, err := eraser.Erase(w.Context(), ref); err != nil {
			w.Fatal(err)
		}
		w.gitlab.AddDiscussion(ref, fakegitlab.Note{Body: "After it was erased."})
		w.deliver(ref, true)
	}
	w.work()
	for _, ref := range refs {
		_, err := w.reader.Read(w.Context(), ref)
		if back := err == nil; back != (w.mixtures[ref].of("worker") == 0) {
			w.Errorf("%s (%s) was erased, and reading it ends with %v", ref, w.mixtures[ref], err)
		}
	}
	open, err := w.ledger.OpenErasures(w.Context())
	if err != nil || len(open) != len(refs) {
		w.Fatalf("%d erasures of %d are open, error %v", len(open), len(refs), err)
	}
	for _, e := range open {
		if _, err := eraser.Resume(w.Context(), e); err != nil {
			w.Fatal(err)
		}
		left, err := w.content.Collection(w.Context(), e.Ref)
		if err != nil || left.Total() > 0 {
			w.Errorf("of %s (%s) is left: %+v, error %v", e.Ref, w.mixtures[e.Ref], left, err)
		}
		if _, err := w.reader.Read(w.Context(), e.Ref); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
			w.Errorf("%s (%s) is erased again, and reading it ends with %v", e.Ref, w.mixtures[e.Ref], err)
		}
	}
}
