package webhook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

const secretToken = "sample-token"

var (
	start        = time.Date(2026, time.May, 28, 7, 0, 0, 0, time.UTC)
	signingToken = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", 32)))
)

// fakeQueue accepts what is sent to it, or fails.
type fakeQueue struct {
	taken []surgical.Request
	err   error
	// refuse, if set, reports which requests are not accepted.
	refuse func(surgical.Request) bool
}

func (q *fakeQueue) Send(ctx context.Context, r surgical.Request) error {
	if err := errors.Join(q.err, ctx.Err()); err != nil {
		return err
	}
	if q.refuse != nil && q.refuse(r) {
		return surgical.NewError(surgical.CodeQueueUnavailable, "the queue refuses it")
	}
	q.taken = append(q.taken, r)
	return nil
}

// fixture is a handler and its dependencies.
type fixture struct {
	*webhook.Handler
	queue *fakeQueue
	hides *fakeQueue
	log   *bytes.Buffer
	now   time.Time
	load  func() (*delivery.Verifier, error)
	loads int
}

func newFixture() *fixture {
	f := &fixture{queue: &fakeQueue{}, hides: &fakeQueue{}, log: &bytes.Buffer{}, now: start}
	f.load = func() (*delivery.Verifier, error) {
		return delivery.NewVerifier([]string{signingToken}, []string{secretToken})
	}
	clock := func() time.Time { return f.now }
	f.Handler = &webhook.Handler{
		Verifiers: secret.NewSource(func(context.Context) (*delivery.Verifier, error) { f.loads++; return f.load() }, clock),
		Queue:     f.queue,
		Hides:     f.hides,
		Allows:    func(id int64) bool { return id == 1 },
		Clock:     clock,
		Log:       slog.New(slog.NewJSONHandler(f.log, nil)),
	}
	return f
}

func request(event, body string, headers ...string) awsevents.APIGatewayV2HTTPRequest {
	req := awsevents.APIGatewayV2HTTPRequest{RawPath: "/webhooks/gitlab", Body: body, Headers: map[string]string{
		"x-gitlab-event": event, "x-gitlab-token": secretToken, "idempotency-key": "key-1",
	}}
	req.RequestContext.RequestID = "gateway-1"
	for i := 0; i < len(headers); i += 2 {
		req.Headers[headers[i]] = headers[i+1]
		if headers[i+1] == "" {
			delete(req.Headers, headers[i])
		}
	}
	return req
}

func sample(t testing.TB, name string, headers ...string) awsevents.APIGatewayV2HTTPRequest {
	t.Helper()
	s, err := events.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return request(s.Event, string(s.Body), headers...)
}

func encoded(req awsevents.APIGatewayV2HTTPRequest) awsevents.APIGatewayV2HTTPRequest {
	req.Body, req.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(req.Body)), true
	return req
}

type answer struct {
	Type        string            `json:"type"`
	Title       string            `json:"title"`
	Status      any               `json:"status"`
	RunID       string            `json:"run_id"`
	ProjectID   int64             `json:"project_id"`
	Targets     []surgical.Target `json:"targets"`
	Reason      string            `json:"reason"`
	ResendAfter string            `json:"resend_after"`
	Code        surgical.Code     `json:"code"`
	Message     string            `json:"message"`
	Detail      string            `json:"detail"`
	Action      surgical.Action   `json:"action"`
	Retryable   bool              `json:"retryable"`
}

func (f *fixture) answer(t testing.TB, req awsevents.APIGatewayV2HTTPRequest) (awsevents.APIGatewayV2HTTPResponse, answer) {
	t.Helper()
	resp, err := gateway.Adapt(f)(t.Context(), req)
	if err != nil {
		t.Fatalf("the delivery was not served: %v", err)
	}
	var a answer
	if err := json.Unmarshal([]byte(resp.Body), &a); err != nil {
		t.Fatalf("the answer %q is no JSON: %v", resp.Body, err)
	}
	return resp, a
}

func TestAnEventOfOursIsQueued(t *testing.T) {
	f := newFixture()
	resp, a := f.answer(t, sample(t, "merge_request_fork"))
	runID := f.queue.taken[0].RunID
	targets := []surgical.Target{{Type: surgical.MergeRequest, IID: 12}}
	if diff := cmp.Diff(answer{Status: "queued", RunID: runID, ProjectID: 1, Targets: targets, ResendAfter: "2026-05-28T07:05:01Z"}, a); diff != "" || resp.StatusCode != 202 {
		t.Errorf("status %d, answer (-want +got):\n%s", resp.StatusCode, diff)
	}
	want := []surgical.Request{{RunID: runID, ProjectID: 1, Targets: targets, Origin: surgical.OriginWebhook, EventAt: start, IdempotencyKey: "key-1",
		Evidence: surgical.Evidence{UpdatedAt: time.Date(2026, 5, 28, 6, 17, 50, 0, time.UTC)}}}
	if diff := cmp.Diff(want, f.queue.taken); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

// Only the issue's own confidentiality counts. The name of the hook also covers
// internal notes on public issues.
func TestHandler_SendsAHideRequestIfTheIssueIsConfidential(t *testing.T) {
	internalNote := `{"object_kind":"note","project":{"id":1},"object_attributes":{"id":5,"noteable_type":"Issue","internal":true},"issue":{"iid":7,"confidential":false}}`
	for name, c := range map[string]struct {
		req   awsevents.APIGatewayV2HTTPRequest
		hides bool
	}{
		"a confidential issue":               {sample(t, "issue_confidential"), true},
		"a note on a confidential issue":     {request("Note Hook", `{"object_kind":"note","project":{"id":1},"object_attributes":{"id":5,"noteable_type":"Issue"},"issue":{"iid":7,"confidential":true}}`), true},
		"an internal note on a public issue": {request("Confidential Note Hook", internalNote), false},
		"a public issue":                     {sample(t, "issue_opened"), false},
		"a public issue, by another hook":    {request("Confidential Issue Hook", `{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":7}}`), false},
		"a merge request":                    {request("Merge Request Hook", `{"object_kind":"merge_request","project":{"id":1},"object_attributes":{"iid":7,"confidential":true}}`), false},
	} {
		f := newFixture()
		if resp, _ := f.answer(t, c.req); resp.StatusCode != 202 {
			t.Errorf("%s: status %d, %s", name, resp.StatusCode, resp.Body)
		}
		run, hides := f.queue.taken, f.hides.taken
		if len(run) != 1 || run[0].Hides || len(hides) > 0 != c.hides || c.hides && cmp.Diff([]surgical.Request{run[0].HideRequest()}, hides) != "" {
			t.Errorf("%s: sent %+v and %+v", name, run, hides)
		}
	}
}

func TestHandler_AcknowledgesNothingThatIsNotHidden(t *testing.T) {
	f := newFixture()
	f.hides.refuse = func(surgical.Request) bool { return true }
	resp, _ := f.answer(t, sample(t, "issue_confidential"))
	if resp.StatusCode != 503 || len(f.queue.taken) > 0 {
		t.Errorf("status %d, sent %+v", resp.StatusCode, f.queue.taken)
	}
}

func TestEveryDeliveryGetsItsAnswer(t *testing.T) {
	at := func(n int) string { return strings.Repeat(" ", n-2) + "{}" }
	notBase64 := request("Push Hook", "***")
	notBase64.IsBase64Encoded = true
	tooLargeForBase64 := request("Push Hook", strings.Repeat("*", surgical.MaxWebhookBody*2))
	tooLargeForBase64.IsBase64Encoded = true
	tests := []struct {
		name   string
		req    awsevents.APIGatewayV2HTTPRequest
		status int
		reason string // of an ignored one, else the code
	}{
		{"base64", encoded(sample(t, "issue_opened")), 202, ""},
		{"base64 that no flag announces", request("Issue Hook", base64.StdEncoding.EncodeToString([]byte(`{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":7}}`))), 202, ""},
		{"base64 of something else", request("Issue Hook", base64.StdEncoding.EncodeToString([]byte("object_kind=issue"))), 400, "invalid_request"},
		{"the hook's name twice", request("Issue Hook,Issue Hook", `{"project":{"id":1},"object_attributes":{"iid":7}}`), 202, ""},
		{"two hooks' names", request("Issue Hook,Note Hook", `{"project":{"id":1},"object_attributes":{"iid":7}}`), 200, "ambiguous_event"},
		{"system hook", sample(t, "system_merge_request"), 202, ""},
		{"push", sample(t, "push"), 200, "unhandled_event"},
		{"epic", sample(t, "epic"), 200, "epic"},
		{"note on a design", sample(t, "note_design"), 200, "unhandled_noteable"},
		{"another project", request("Issue Hook", `{"object_kind":"issue","project":{"id":2},"object_attributes":{"iid":7}}`), 200, "project_not_allowed"},
		{"no iid", request("Issue Hook", `{"object_kind":"issue","project":{"id":1}}`), 200, "missing_identity"},
		{"wrong token", sample(t, "issue_opened", "x-gitlab-token", "wrong-token"), 401, "invalid_signature"},
		{"no token", sample(t, "issue_opened", "x-gitlab-token", ""), 401, "invalid_signature"},
		{"wrong signature beside a right token", sample(t, "issue_opened", "webhook-id", "a", "webhook-timestamp", "1780000000", "webhook-signature", "v1,x"), 401, "invalid_signature"},
		{"no JSON", request("Issue Hook", "object_kind=issue"), 400, "invalid_request"},
		{"empty", request("Issue Hook", ""), 400, "invalid_request"},
		{"no base64", notBase64, 400, "invalid_request"},
		{"too large comes before no base64", tooLargeForBase64, 413, "payload_too_large"},
		{"the largest", request("Push Hook", at(surgical.MaxWebhookBody)), 200, "unhandled_event"},
		{"the largest in base64", encoded(request("Push Hook", at(surgical.MaxWebhookBody))), 200, "unhandled_event"},
		{"too large", request("Push Hook", at(surgical.MaxWebhookBody+1)), 413, "payload_too_large"},
		{"too large in base64", encoded(request("Push Hook", at(surgical.MaxWebhookBody+1))), 413, "payload_too_large"},
		{"much too large in base64", encoded(request("Push Hook", at(surgical.MaxWebhookBody*2))), 413, "payload_too_large"},
		{"too large comes before unsigned", request("Push Hook", at(surgical.MaxWebhookBody+1), "x-gitlab-token", ""), 413, "payload_too_large"},
		{"unsigned comes before no JSON", request("Push Hook", "x", "x-gitlab-token", ""), 401, "invalid_signature"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			resp, a := f.answer(t, tt.req)
			if resp.StatusCode != tt.status || a.Reason+string(a.Code) != tt.reason {
				t.Errorf("answer %d %s, want %d %s", resp.StatusCode, resp.Body, tt.status, tt.reason)
			}
			if got := len(f.queue.taken) == 1; got != (tt.status == 202) {
				t.Errorf("queued = %v under status %d", got, resp.StatusCode)
			}
			if tt.status >= 400 {
				if resp.Headers["Content-Type"] != problem.ContentType || resp.Headers["Cache-Control"] != "no-store" || a.Type != "urn:lorehook:error:"+tt.reason || a.Title == "" || a.Status != float64(tt.status) || a.Message == "" || a.Detail != a.Message || a.Action == "" {
					t.Errorf("not a whole problem: %v %s", resp.Headers, resp.Body)
				}
			}
			if lines := strings.Count(f.log.String(), "\n"); lines != 1 {
				t.Errorf("%d log lines, want 1", lines)
			}
		})
	}
}

func TestASignedDeliveryIsVerifiedOverItsRawBody(t *testing.T) {
	req := sample(t, "issue_opened", "x-gitlab-token", "")
	wh, err := standardwebhooks.NewWebhook(signingToken)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := wh.Sign("key-1", start, []byte(req.Body))
	if err != nil {
		t.Fatal(err)
	}
	req.Headers["webhook-id"], req.Headers["webhook-timestamp"], req.Headers["webhook-signature"] = "key-1", "1779951600", signature
	undeclared := encoded(req)
	undeclared.IsBase64Encoded = false
	for _, r := range []awsevents.APIGatewayV2HTTPRequest{req, encoded(req), undeclared} {
		if resp, _ := newFixture().answer(t, r); resp.StatusCode != 202 {
			t.Errorf("status %d: %s", resp.StatusCode, resp.Body)
		}
	}
	f := newFixture()
	f.now = start.Add(5*time.Minute + time.Second)
	if resp, _ := f.answer(t, req); resp.StatusCode != 401 {
		t.Errorf("an old delivery got %d", resp.StatusCode)
	}
}

// signed adds a signature over the id and the body.
func signed(t testing.TB, req awsevents.APIGatewayV2HTTPRequest, id string) awsevents.APIGatewayV2HTTPRequest {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(signingToken)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := wh.Sign(id, start, []byte(req.Body))
	if err != nil {
		t.Fatal(err)
	}
	req.Headers["webhook-id"], req.Headers["webhook-timestamp"], req.Headers["webhook-signature"] = id, strconv.FormatInt(start.Unix(), 10), signature
	delete(req.Headers, "x-gitlab-token")
	return req
}

func TestHandler_NamesASignedDeliveryByItsWebhookIDAlone(t *testing.T) {
	f := newFixture()
	runs := map[string]bool{}
	for _, key := range []string{"", "key-1", "key-2", "id-1,id-2", strings.Repeat("k", 5000)} {
		resp, a := f.answer(t, signed(t, sample(t, "issue_opened", "idempotency-key", key), "id-1"))
		if resp.StatusCode != 202 {
			t.Fatalf("key %.20q: %d %s", key, resp.StatusCode, resp.Body)
		}
		runs[a.RunID] = true
	}
	if len(runs) != 1 || f.queue.taken[0].IdempotencyKey != "id-1" {
		t.Errorf("%d runs for one webhook-id under several keys; the message has the key %q", len(runs), f.queue.taken[0].IdempotencyKey)
	}
	if _, a := f.answer(t, signed(t, sample(t, "issue_opened"), "id-2")); runs[a.RunID] {
		t.Error("another webhook-id under the same key is the same run")
	}
}

func TestHandler_GivesEveryEntityItsOwnRun(t *testing.T) {
	f := newFixture()
	f.Allows = func(int64) bool { return true }
	body := func(project, iid int, kind string) string {
		return fmt.Sprintf(`{"object_kind":%q,"project":{"id":%d},"object_attributes":{"iid":%d}}`, kind, project, iid)
	}
	same := []string{body(1, 7, "issue"), body(1, 8, "issue"), body(2, 7, "issue"), body(1, 7, "merge_request")}
	runs := map[string]string{}
	for _, b := range same {
		for kind, req := range map[string]awsevents.APIGatewayV2HTTPRequest{
			"signed": signed(t, request("", b), "one-id"), "token": request("", b, "idempotency-key", "one-id"),
		} {
			resp, a := f.answer(t, req)
			if other, taken := runs[a.RunID]; taken || resp.StatusCode != 202 {
				t.Errorf("%s %s: status %d, run %s of %s", kind, b, resp.StatusCode, a.RunID, other)
			}
			runs[a.RunID] = kind + " " + b
		}
	}
}

// A secret token does not cover the key: the owner of the hook can choose it.
func TestHandler_NamesAnUnsignedDeliveryByItsKeyAndBody(t *testing.T) {
	tests := []struct {
		name, key string
		headers   []string
		carried   string
	}{
		{"Idempotency-Key", "key-1", nil, "key-1"},
		{"the same key twice", "key-1", []string{"idempotency-key", "key-1, key-1"}, "key-1"},
		{"webhook-id without it", "id-1", []string{"idempotency-key", "", "webhook-id", "id-1"}, "id-1"},
		{"the gateway's request id without both", "gateway-1", []string{"idempotency-key", ""}, "gateway-1"},
		{"an endless key is not carried around", strings.Repeat("k", 5000), []string{"idempotency-key", strings.Repeat("k", 5000)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			_, a := f.answer(t, sample(t, "issue_opened", tt.headers...))
			_, again := f.answer(t, sample(t, "issue_opened", "idempotency-key", tt.key))
			if a.RunID != again.RunID || f.queue.taken[0].RunID != a.RunID {
				t.Errorf("run_id = %s, and %s when it is sent again", a.RunID, again.RunID)
			}
			if _, other := f.answer(t, sample(t, "issue_closed", "idempotency-key", tt.key)); other.RunID == a.RunID {
				t.Error("another event of the entity under the same key is the same run")
			}
			if got := f.queue.taken[0].IdempotencyKey; got != tt.carried {
				t.Errorf("key = %.20q, want %q", got, tt.carried)
			}
		})
	}
	f := newFixture()
	nameless := sample(t, "issue_opened", "idempotency-key", "")
	nameless.RequestContext.RequestID = ""
	if resp, _ := f.answer(t, nameless); resp.StatusCode != 400 || len(f.queue.taken) > 0 {
		t.Errorf("a delivery without a name got %d", resp.StatusCode)
	}
}

func TestWhatIsOutOfReachIsToldAsTemporary(t *testing.T) {
	unavailable := surgical.WrapError(surgical.CodeQueueUnavailable, errors.New("dial tcp"), "the request could not be sent to the queue")
	tests := []struct {
		name   string
		spoil  func(*fixture)
		status int
		code   surgical.Code
	}{
		{"the queue", func(f *fixture) { f.queue.err = unavailable }, 503, surgical.CodeQueueUnavailable},
		{"the queue, untyped", func(f *fixture) { f.queue.err = errors.New("dial tcp") }, 500, surgical.CodeInternal},
		{"the secret", func(f *fixture) { f.load = func() (*delivery.Verifier, error) { return nil, errors.New("dial tcp") } }, 503, surgical.CodeInternal},
		{"no token is configured", func(f *fixture) {
			f.load = func() (*delivery.Verifier, error) { return delivery.NewVerifier(nil, nil) }
		}, 503, surgical.CodeInternal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			tt.spoil(f)
			resp, a := f.answer(t, sample(t, "issue_opened"))
			if resp.StatusCode != tt.status || (resp.Headers["Retry-After"] == "10") != (tt.status == 503) || a.Code != tt.code || !a.Retryable || len(f.queue.taken) > 0 {
				t.Errorf("answer %d %v %s", resp.StatusCode, resp.Headers, resp.Body)
			}
			cause := tt.name == "no token is configured" || strings.Contains(f.log.String(), "dial tcp")
			if strings.Contains(resp.Body, "dial tcp") || !strings.Contains(f.log.String(), `"level":"ERROR"`) || !cause {
				t.Errorf("the cause belongs into the log alone: %s, %s", resp.Body, f.log)
			}
		})
	}
}

func TestARotatedTokenIsReadAgainAtMostOnceInTenSeconds(t *testing.T) {
	f := newFixture()
	f.answer(t, sample(t, "issue_opened"))
	f.load = func() (*delivery.Verifier, error) { return delivery.NewVerifier(nil, []string{"rotated-token"}) }
	steps := []struct {
		after         time.Duration
		token         string
		status, loads int
	}{
		{5 * time.Second, "rotated-token", 401, 1},
		{5 * time.Second, "rotated-token", 202, 2},
		{time.Second, "wrong-token", 401, 2},
		{time.Hour, "wrong-token", 401, 3},
		{time.Second, "wrong-token", 401, 3},
		{0, secretToken, 401, 3},
		{0, "rotated-token", 202, 3},
	}
	for i, s := range steps {
		f.now = f.now.Add(s.after)
		if resp, _ := f.answer(t, sample(t, "issue_opened", "x-gitlab-token", s.token)); resp.StatusCode != s.status || f.loads != s.loads {
			t.Errorf("step %d: status %d after %d readings, want %d after %d", i, resp.StatusCode, f.loads, s.status, s.loads)
		}
	}
}

func TestNoPayloadTokenOrTitleReachesTheLog(t *testing.T) {
	for _, name := range []string{"issue_confidential", "note_confidential", "push"} {
		f := newFixture()
		f.answer(t, sample(t, name))
		f.answer(t, sample(t, name, "x-gitlab-token", "wrong-token"))
		for _, forbidden := range []string{"password", "Two customers", "token\":", secretToken, "wrong-token", "refs/heads"} {
			if strings.Contains(f.log.String(), forbidden) {
				t.Errorf("%s: the log holds %q: %s", name, forbidden, f.log)
			}
		}
	}
}

// Without the gateway in front, a request need not declare its length.
func TestServeHTTPReadsNoMoreThanTheLimit(t *testing.T) {
	for size, status := range map[int]int{surgical.MaxWebhookBody: 200, surgical.MaxWebhookBody + 1: 413, surgical.MaxWebhookBody * 2: 413} {
		body := &counted{Reader: strings.NewReader("{}" + strings.Repeat(" ", size-2))}
		r := httptest.NewRequest("POST", "/webhooks/gitlab", body)
		r.Header.Set("X-Gitlab-Event", "Push Hook")
		r.Header.Set("X-Gitlab-Token", secretToken)
		w := httptest.NewRecorder()
		newFixture().ServeHTTP(w, r)
		if r.ContentLength >= 0 || w.Code != status || body.read > surgical.MaxWebhookBody+1 {
			t.Errorf("%d bytes of unknown length: status %d after %d bytes", size, w.Code, body.read)
		}
		declared := &counted{Reader: strings.NewReader("{}")}
		r.Body, r.ContentLength = io.NopCloser(declared), int64(size)
		w = httptest.NewRecorder()
		newFixture().ServeHTTP(w, r)
		if w.Code != status || status == 413 && declared.read > 0 {
			t.Errorf("%d bytes declared: status %d after %d bytes", size, w.Code, declared.read)
		}
	}
}

// A URL that was typed by hand, or that has the key of an API mapping in front, still
// reaches its handler.
func TestServeHTTP_AcceptsAnySpellingOfThePath(t *testing.T) {
	for path, status := range map[string]int{
		"/webhooks/gitlab": 200, "/webhooks/gitlab/": 200, "/webhooks//gitlab": 200, "//webhooks/gitlab//": 200, "/webhooks/./gitlab": 200,
		"/webhooks/GitLab": 200, "/prod/webhooks/gitlab": 200,
		"/webhooks/gitlab/1": 400, "/webhooks/github": 400, "/webhooks/": 400, "/webhooks/gitlab/../github": 400, "/notwebhooks/gitlab2": 400,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
		r.URL.Path = path
		r.Header.Set("X-Gitlab-Event", "Push Hook")
		r.Header.Set("X-Gitlab-Token", secretToken)
		w := httptest.NewRecorder()
		newFixture().ServeHTTP(w, r)
		if w.Code != status || status == 400 && !strings.Contains(w.Body.String(), "/webhooks/gitlab") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// counted counts the bytes read.
type counted struct {
	io.Reader
	read int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}
