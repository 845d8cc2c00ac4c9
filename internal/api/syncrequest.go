package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// SyncRequest requests a run.
type SyncRequest struct {
	ProjectID     int64      `json:"project_id,omitempty" minimum:"1" maximum:"9007199254740991" example:"1" doc:"GitLab's id of the project. Either project_id or project is required, not both."`
	Project       projectRef `json:"project,omitempty" example:"group/project" doc:"GitLab's id of the project, or its path. Either project_id or project is required, not both."`
	Issues        []int64    `json:"issues,omitempty" nullable:"false" minimum:"1" maximum:"9007199254740991" maxItems:"25" example:"[7]" doc:"Iids of issues. Issues and merge requests together are 1 to 25, each named once."`
	MergeRequests []int64    `json:"merge_requests,omitempty" nullable:"false" minimum:"1" maximum:"9007199254740991" maxItems:"25" example:"[12]" doc:"Iids of merge requests. Issues and merge requests together are 1 to 25, each named once."`
	PreflightOnly bool       `json:"preflight_only,omitempty" doc:"Fetch and report; write no content."`
	DryRun        bool       `json:"dry_run,omitempty" doc:"Return only the plan: no fetch, no message, no write. Excludes preflight_only."`
	NoDocs        bool       `json:"no_docs,omitempty" doc:"Leave documents to a later drain. Requires no_embed."`
	NoEmbed       bool       `json:"no_embed,omitempty" doc:"Leave embeddings to a later drain."`

	raw []byte
}

// TransformSchema implements [huma.SchemaTransformer]. The schema is flat: what holds
// between fields is described in words and checked by [SyncRequest.contradictions], because
// generators of clients turn oneOf, anyOf and not into types that nobody can use.
func (SyncRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, list := range []string{"issues", "merge_requests"} {
		// Not in huma's own field: contradictions says which one is named twice.
		s.Properties[list].Extensions = map[string]any{"uniqueItems": true}
	}
	return s
}

// UnmarshalJSON implements [json.Unmarshaler]; it keeps the text for
// [ambiguous].
func (b *SyncRequest) UnmarshalJSON(raw []byte) error {
	type plain SyncRequest
	return unmarshalKeeping(raw, (*plain)(b), &b.raw)
}

// unmarshalKeeping decodes the text into v and keeps a copy of it for [ambiguous].
func unmarshalKeeping(raw []byte, v any, kept *[]byte) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return err
	}
	*kept = slices.Clone(raw)
	return nil
}

// ambiguous finds what encoding/json accepts silently in the object of the type: a null, which would count
// as the field's absence (so "dry_run":null would start a real run), a name that
// differs in case, and a repeated name.
func ambiguous(raw []byte, t reflect.Type) (errs []error) {
	names := jsonNames(t)
	seen := map[string]bool{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		return nil // no body was decoded: that is rejected elsewhere
	}
	for decoder.More() {
		name, _ := decoder.Token()
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return errs // cannot happen: it was decoded before
		}
		field, _ := name.(string)
		refuse := func(message string) {
			errs = append(errs, &huma.ErrorDetail{Location: "body." + field, Message: message, Value: value})
		}
		same := func(name string) bool { return strings.EqualFold(name, field) }
		switch {
		case !slices.Contains(names, field) && slices.ContainsFunc(names, same):
			refuse("unexpected property")
		case seen[field]:
			refuse("named twice")
		case string(value) == "null":
			refuse("expected a value")
		}
		seen[field] = true
	}
	return errs
}

// contradictions finds what [surgical.Request.Validate] would reject, with the
// location of each: a schema validator's messages for these are hard to read.
func (b *SyncRequest) contradictions() (errs []error) {
	refuse := func(location, message string, value any) {
		errs = append(errs, &huma.ErrorDetail{Location: "body." + location, Message: message, Value: value})
	}
	if (b.ProjectID == 0) == (b.Project == "") {
		refuse("project_id", "expected either project_id or project", b.ProjectID)
	}
	if n := len(b.Issues) + len(b.MergeRequests); n == 0 || n > surgical.MaxTargets {
		refuse("issues", fmt.Sprintf("issues and merge_requests together name 1 to %d targets", surgical.MaxTargets), n)
	}
	again := func(name string, iids []int64) {
		for i, iid := range iids {
			if slices.Contains(iids[:i], iid) {
				refuse(fmt.Sprintf("%s[%d]", name, i), "named twice", iid)
			}
		}
	}
	again("issues", b.Issues)
	again("merge_requests", b.MergeRequests)
	if b.DryRun && b.PreflightOnly {
		refuse("preflight_only", "preflight_only and dry_run exclude each other", true)
	}
	if b.NoDocs && !b.NoEmbed {
		refuse("no_docs", "no_docs requires no_embed", true)
	}
	return errs
}
