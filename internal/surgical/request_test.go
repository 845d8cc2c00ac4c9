package surgical_test

import (
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func issue(iid int64) surgical.Target { return surgical.Target{Type: surgical.Issue, IID: iid} }

func request(change func(*surgical.Request)) surgical.Request {
	r := surgical.Request{
		RunID: "w1", ProjectID: 1, Targets: []surgical.Target{issue(7)}, Origin: surgical.OriginWebhook, EventAt: t0,
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestRequestValidate_NamesEveryOffendingValue(t *testing.T) {
	many := func(n int64) (all []surgical.Target) {
		for iid := range n {
			all = append(all, issue(iid+1))
		}
		return all
	}
	for name, c := range map[string]struct {
		change func(*surgical.Request)
		want   []string // parts of the message; none: it is valid
	}{
		"valid":                  {nil, nil},
		"as many targets as fit": {func(r *surgical.Request) { r.Targets = many(surgical.MaxTargets) }, nil},
		"one target too many":    {func(r *surgical.Request) { r.Targets = many(surgical.MaxTargets + 1) }, []string{"1 to 25 targets, got 26"}},
		"no targets":             {func(r *surgical.Request) { r.Targets = nil }, []string{"got 0"}},
		"an iid of zero":         {func(r *surgical.Request) { r.Targets = []surgical.Target{issue(0)} }, []string{"iid must be positive, got 0"}},
		"an unknown type":        {func(r *surgical.Request) { r.Targets[0].Type = "epic" }, []string{`got "epic"`}},
		"a target twice":         {func(r *surgical.Request) { r.Targets = append(r.Targets, issue(7)) }, []string{"issue#7 is named twice"}},
		"no run id, no project": {
			func(r *surgical.Request) { r.RunID, r.ProjectID = "", -1 },
			[]string{"run_id is missing", "project_id must be positive, got -1"},
		},
		"an unknown origin":     {func(r *surgical.Request) { r.Origin = "cron" }, []string{`origin "cron" is unknown`}},
		"preflight and dry run": {func(r *surgical.Request) { r.Options = surgical.Options{PreflightOnly: true, DryRun: true} }, []string{"exclude each other"}},
		"no_docs without no_embed": {
			func(r *surgical.Request) { r.Options = surgical.Options{NoDocs: true} }, []string{"no_docs requires no_embed"},
		},
		"no_docs with no_embed": {func(r *surgical.Request) { r.Options = surgical.Options{NoDocs: true, NoEmbed: true} }, nil},
	} {
		err := request(c.change).Validate()
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		if err != nil && surgical.CodeOf(err) != surgical.CodeInvalidRequest {
			t.Errorf("%s: code %s", name, surgical.CodeOf(err))
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", name, err, part)
			}
		}
	}
	var zero surgical.Request
	if err := zero.Validate(); err == nil || !strings.Contains(err.Error(), "event_at is missing") {
		t.Errorf("a zero request: %v", err)
	}
}

func TestRequestGroup_IsTheEntityOrTheRun(t *testing.T) {
	if got := request(nil).Group(); got != "1#issue#7" {
		t.Errorf("one target: %q", got)
	}
	if got := request(func(r *surgical.Request) { r.Targets = append(r.Targets, issue(8)) }).Group(); got != "w1" {
		t.Errorf("two targets: %q", got)
	}
}

func TestRunID_IsNamespacedByOriginAndStartsWithItsLetter(t *testing.T) {
	ids := map[string]string{}
	for _, origin := range []surgical.Origin{surgical.OriginWebhook, surgical.OriginManual, surgical.OriginRetry, surgical.OriginDrain} {
		for _, key := range []string{"a", "b", ""} {
			id := surgical.RunID(origin, key)
			if id != surgical.RunID(origin, key) || id[0] != origin[0] || len(id) != 27 {
				t.Errorf("%s %q: %q", origin, key, id)
			}
			if other, taken := ids[id]; taken {
				t.Errorf("%s %q has the id of %s", origin, key, other)
			}
			ids[id] = string(origin) + " " + key
		}
	}
}

func TestRequestSameEntities_IgnoresOnlyTheOrder(t *testing.T) {
	two := request(func(r *surgical.Request) { r.Targets = []surgical.Target{issue(7), issue(8)} })
	for name, c := range map[string]struct {
		change func(*surgical.Request)
		want   bool
	}{
		"the same":        {nil, true},
		"another order":   {func(r *surgical.Request) { r.Targets = []surgical.Target{issue(8), issue(7)} }, true},
		"another id":      {func(r *surgical.Request) { r.RunID = "w2" }, true},
		"another project": {func(r *surgical.Request) { r.ProjectID = 2 }, false},
		"fewer targets":   {func(r *surgical.Request) { r.Targets = r.Targets[:1] }, false},
		"another type": {func(r *surgical.Request) {
			r.Targets = []surgical.Target{issue(7), {Type: surgical.MergeRequest, IID: 8}}
		}, false},
	} {
		other := two
		other.Targets = slices.Clone(two.Targets)
		if c.change != nil {
			c.change(&other)
		}
		if got := two.SameEntities(other); got != c.want {
			t.Errorf("%s: SameEntities = %t", name, got)
		}
		other.RunID = two.RunID
		if got := two.OwnRunID() == other.OwnRunID(); got != c.want {
			t.Errorf("%s: the own run ids are equal: %t", name, got)
		}
	}
	if own := two.OwnRunID(); own == two.RunID || own[0] != 'w' || own != two.OwnRunID() {
		t.Errorf("own run id %s of run %s", own, two.RunID)
	}
}

func TestDeliveryRunID_DependsOnTheNameAndTheEntity(t *testing.T) {
	ids := map[string]bool{}
	for _, name := range []string{"a", "b"} {
		for _, ref := range []surgical.EntityRef{
			{ProjectID: 1, Target: issue(7)}, {ProjectID: 1, Target: issue(8)}, {ProjectID: 2, Target: issue(7)},
			{ProjectID: 1, Target: surgical.Target{Type: surgical.MergeRequest, IID: 7}},
		} {
			id := surgical.DeliveryRunID(name, ref)
			if ids[id] || id != surgical.DeliveryRunID(name, ref) || id[0] != 'w' {
				t.Errorf("%s of %s: %s", name, ref, id)
			}
			ids[id] = true
		}
	}
}

func TestParseTarget_ReadsWhatStringWrites(t *testing.T) {
	for _, text := range []string{"issue#7", "merge_request#12"} {
		target, err := surgical.ParseTarget(text)
		if err != nil || target.String() != text {
			t.Errorf("%q: %v, %v", text, target, err)
		}
	}
	for _, text := range []string{"", "issue", "issue#", "issue#0", "issue#-1", "issue#07", "epic#1", "issue#7#8"} {
		if target, err := surgical.ParseTarget(text); err == nil {
			t.Errorf("%q is %v", text, target)
		}
	}
	if c := issue(7).Compare(surgical.Target{Type: surgical.MergeRequest, IID: 1}); c >= 0 {
		t.Errorf("an issue comes after a merge request: %d", c)
	}
	if c := issue(7).Compare(issue(12)); c >= 0 {
		t.Errorf("7 comes after 12: %d", c)
	}
}

// It waits behind nothing, and it is not deduplicated as the run's message.
func TestRequestHideRequest_HasAGroupAndANameOfItsOwn(t *testing.T) {
	r := surgical.Request{RunID: "w1", ProjectID: 1, Targets: []surgical.Target{{Type: surgical.Issue, IID: 7}}, Origin: surgical.OriginWebhook, EventAt: t0}
	hide := r.HideRequest()
	if r.Hides || !hide.Hides || hide.Group() == r.Group() || hide.MessageID() == r.MessageID() || hide.RunID != r.RunID {
		t.Errorf("%+v: group %q, message %q", hide, hide.Group(), hide.MessageID())
	}
	other := r
	other.Targets = []surgical.Target{{Type: surgical.Issue, IID: 8}}
	if other.HideRequest().Group() == hide.Group() {
		t.Error("two issues share a group")
	}
	hide.Targets = append(hide.Targets, surgical.Target{Type: surgical.Issue, IID: 8})
	if surgical.CodeOf(hide.Validate()) != surgical.CodeInvalidRequest {
		t.Error("it may name two targets")
	}
}
