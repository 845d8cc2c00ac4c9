package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	adapter "gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type hooksVerifyCommand struct {
	hookOwner
	hookURL
	NoTest  bool          `help:"Only look at the webhook; send no test event."`
	Timeout time.Duration `default:"2m" help:"How long to wait for the run of the test event."`
}

// Help implements [kong.HelpProvider].
func (*hooksVerifyCommand) Help() string {
	return `Checks that there is one webhook, that it is complete, signed and enabled, and that GitLab sends what changes. Then lets GitLab send its test event (the newest issue, or else the newest merge request), and waits until that is stored. Reports what is wrong and exits with hook_unhealthy. GitLab disables a webhook temporarily after four consecutive failures, and permanently after forty; a test event that succeeds enables it again.

` + hooksNeed + ` To follow the test event, the API is used as well.

Example:

    lore hooks verify -p group/project --api-url https://abc123.execute-api.eu-west-1.amazonaws.com`
}

// hookTest is the result of GitLab's test event.
type hookTest struct {
	// Trigger is the kind of event, "" if none was sent; Skipped then says why.
	Trigger string             `json:"trigger,omitempty"`
	Skipped string             `json:"skipped,omitempty"`
	RunID   string             `json:"run_id,omitempty"`
	Status  surgical.RunStatus `json:"status,omitempty"`
	wrong   string
}

// Run implements the command.
func (c *hooksVerifyCommand) Run(ctx context.Context, s *session) error {
	h, address, found, err := s.hooksAt(ctx, c.hookOwner, c.hookURL)
	if err != nil {
		return err
	}
	wrong := wrongWith(h.owner, address, found)
	answer := map[string]any{"hooks": viewHooks(found)}
	var test *hookTest
	if len(found) == 1 && !c.NoTest {
		silent, err := h.silent(ctx, s.Clock(), found[0])
		if err != nil {
			return err
		}
		if silent != "" {
			wrong = append(wrong, fmt.Sprintf("hook %d: %s", found[0].ID, silent))
		}
		if test, err = c.test(ctx, s, h, found[0]); err != nil {
			return err
		}
		answer["test"] = test
		if test.wrong != "" {
			wrong = append(wrong, fmt.Sprintf("hook %d: %s", found[0].ID, test.wrong))
		}
	}
	s.answer(answer, func(p *printer) {
		p.hooks(viewHooks(found))
		switch {
		case test == nil || test.wrong != "":
		case test.Skipped != "":
			p.sentence("not tested: %s", test.Skipped)
		default:
			p.sentence("tested with %s: stored by run %s", test.Trigger, test.RunID)
		}
		if len(wrong) == 0 {
			p.line("%s", paint(p.good, "healthy"))
		}
	})
	if len(wrong) > 0 {
		return h.unhealthy(strings.Join(wrong, "; "))
	}
	return nil
}

// wrongWith says what is wrong with the hooks that were found for an address.
func wrongWith(owner adapter.Owner, address string, found []adapter.Hook) []string {
	var wrong []string
	for _, one := range found {
		for _, finding := range one.Findings() {
			wrong = append(wrong, fmt.Sprintf("hook %d: %s", one.ID, finding))
		}
	}
	switch len(found) {
	case 0:
		wrong = append(wrong, fmt.Sprintf("%s has no hook for %s", owner, address))
	case 1:
	default:
		wrong = append(wrong, fmt.Sprintf("%s has %d hooks for %s: every event is delivered that many times; lore hooks add keeps one", owner, len(found), address))
	}
	return wrong
}

// silent says that GitLab does not send what the hook is for, "" if that cannot be
// seen: the newest change is not in the log of deliveries.
func (h hooks) silent(ctx context.Context, now time.Time, hook adapter.Hook) (string, error) {
	events, known, err := h.events(ctx, hook.ID)
	if err != nil || !known {
		return "", err
	}
	changed := time.Time{}
	for _, list := range []string{"issues", "merge_requests"} {
		raw, _, err := h.send(ctx, http.MethodGet, strings.TrimSuffix(h.path, "hooks")+list, nil,
			gitlab.WithKeysetPaginationParameters("?state=all&scope=all&order_by=updated_at&sort=desc&per_page=1"))
		if code := surgical.CodeOf(err); err != nil && code != surgical.CodeGitLabForbidden && code != surgical.CodeGitLabNotFound {
			return "", err
		}
		var newest []struct {
			UpdatedAt string `json:"updated_at"`
		}
		if json.Unmarshal(raw, &newest) == nil && len(newest) > 0 {
			if at, ok := surgical.ParseTime(newest[0].UpdatedAt); ok && at.After(changed) {
				changed = at
			}
		}
	}
	return hook.Silent(events, changed, now), nil
}

// events returns the newest deliveries of a hook, newest first. known is false if this
// GitLab does not log them, or not for this token.
func (h hooks) events(ctx context.Context, hook int64) (events []adapter.HookEvent, known bool, err error) {
	raw, _, err := h.call(ctx, http.MethodGet, below(hook)+"/events", nil)
	if code := surgical.CodeOf(err); err != nil && (code == surgical.CodeGitLabForbidden || code == surgical.CodeGitLabNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	events, ok := adapter.ReadHookEvents(raw)
	if !ok {
		return nil, false, surgical.NewError(surgical.CodeGitLabUnavailable, h.what()+": GitLab's answer is not a log of deliveries; check for a proxy in between")
	}
	return events, true, nil
}

// test lets GitLab send a test event and follows it.
func (c *hooksVerifyCommand) test(ctx context.Context, s *session, h hooks, hook adapter.Hook) (*hookTest, error) {
	before, _, err := h.events(ctx, hook.ID)
	if err != nil {
		return nil, err
	}
	for _, trigger := range []string{"issues_events", "merge_requests_events"} {
		_, resp, err := h.call(ctx, http.MethodPost, below(hook.ID)+"/test/"+trigger, nil)
		switch {
		case err == nil:
			return c.follow(ctx, s, h, hook, trigger, newestOf(before))
		case resp == nil || resp.StatusCode != http.StatusUnprocessableEntity:
			return nil, err
		case !strings.Contains(err.Error(), "Ensure "): // the project has none of these
			return &hookTest{Trigger: trigger, wrong: "GitLab could not deliver its test event: " + reasonOf(err) + unread(reasonOf(err))}, nil
		}
	}
	return &hookTest{Skipped: h.owner.String() + " has no issue and no merge request that GitLab could send"}, nil
}

// reasonOf is what GitLab said about a request that it did not carry out.
func reasonOf(err error) string {
	_, reason, _ := strings.Cut(surgical.AsError(err).Message, "(422): ")
	return cmp.Or(reason, surgical.AsError(err).Message)
}

// unread says that the stack may not have read a new token yet, if it answered as it does
// until then.
func unread(reason string) string {
	if strings.Contains(reason, "401") || strings.Contains(reason, "503") {
		return "; if its token was stored in the last minute, wait for a minute before you run the command again: functions read a secret once a minute, and GitLab disables hooks that go on failing"
	}
	return ""
}

// GitLab writes its log after it has answered the request for the test.
const (
	logPatience = 30 * time.Second
	logPause    = time.Second
)

// newestOf returns the id of the newest delivery, 0 if there is none.
func newestOf(events []adapter.HookEvent) int64 {
	if len(events) == 0 {
		return 0
	}
	return events[0].ID
}

// delivered returns the delivery that GitLab logged after the one with the id before,
// when it appears. known is false if GitLab shows no log.
func (h hooks) delivered(ctx context.Context, s *session, hook, before int64) (event adapter.HookEvent, known bool, err error) {
	for began := s.Clock(); ; {
		events, known, err := h.events(ctx, hook)
		if err != nil || !known {
			return adapter.HookEvent{}, false, err
		}
		if newestOf(events) > before {
			return events[0], true, nil
		}
		if s.Clock().Sub(began) >= logPatience {
			return adapter.HookEvent{}, true, nil
		}
		if err := s.Pause(ctx, logPause); err != nil {
			return adapter.HookEvent{}, true, err
		}
	}
}

// follow finds the run of a test event that GitLab has delivered after the delivery with
// the id before, and waits for it.
func (c *hooksVerifyCommand) follow(ctx context.Context, s *session, h hooks, hook adapter.Hook, trigger string, before int64) (*hookTest, error) {
	test := &hookTest{Trigger: trigger}
	event, known, err := h.delivered(ctx, s, hook.ID, before)
	if err != nil {
		return nil, err
	}
	if !known {
		test.Skipped = "it was delivered, but GitLab shows no log of deliveries that would name its run; see: lore runs list"
		return test, nil
	}
	if event.ID == 0 {
		test.wrong = fmt.Sprintf("GitLab says that it delivered its test event, but its log does not show that after %v s, so nothing says who answered; run the command again", logPatience.Seconds())
		return test, nil
	}
	var answered struct {
		RunID  string `json:"run_id"`
		Reason string `json:"reason"`
	}
	if json.Unmarshal([]byte(event.ResponseBody), &answered) != nil || answered.RunID == "" {
		test.wrong = "the test event was delivered, but not to Lorehook: the answer names no run"
		if answered.Reason != "" {
			test.wrong = "Lorehook ignores the events: " + answered.Reason
		}
		return test, nil
	}
	test.RunID = answered.RunID
	client, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	run, err := s.follow(ctx, client, answered.RunID, c.Timeout, true)
	if err != nil {
		return nil, err
	}
	test.Status = run.Value.Status
	if err := outcome(run.Value); err != nil {
		test.wrong = fmt.Sprintf("the run %s of the test event did not succeed: %s", test.RunID, surgical.AsError(err).Message)
	}
	return test, nil
}
