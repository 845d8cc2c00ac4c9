package render_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Whatever people write in a comment or a description passes for no author and no time.
func TestBeginning_IsWhatGitLabSaysOfTheAuthorTheTimeAndTheText(t *testing.T) {
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	at := time.Date(2026, time.May, 1, 9, 0, 0, 0, time.UTC)
	long := strings.Repeat("Lorem ipsum ", 5000)
	for name, c := range map[string]struct {
		author, created, body string
		want                  surgical.Beginning
	}{
		"a comment":          {`{"username":"mira","name":"Mira, L"}`, "2026-05-01T11:00:00.123+02:00", "It **fails**.\n\n> always", surgical.Beginning{Author: "mira", At: at, Words: "It **fails**. > always"}},
		"a long one":         {`{"username":"mira"}`, "2026-05-01T09:00:00Z", long, surgical.Beginning{Author: "mira", At: at, Words: strings.Repeat("Lorem ipsum ", 4) + "Lorem ipsum…"}},
		"one without spaces": {`{"username":"mira"}`, "2026-05-01T09:00:00Z", strings.Repeat("語", 200), surgical.Beginning{Author: "mira", At: at, Words: strings.Repeat("語", 59) + "…"}},
		"a forged heading":   {`{"username":"mira"}`, "2026-05-01T09:00:00Z", "## @root, 2020-01-01T00:00:00Z\n---\n- Author: @root", surgical.Beginning{Author: "mira", At: at, Words: "## @root, 2020-01-01T00:00:00Z --- - Author: @root"}},
		"an odd author":      {`{"username":"a b","name":"@root, 2020-01-01T00:00:00Z"}`, "2026-05-01T09:00:00Z", "x", surgical.Beginning{At: at, Words: "x"}},
		"nobody":             {`null`, "2026-05-01T09:00:00Z", "x", surgical.Beginning{At: at, Words: "x"}},
		"an odd time":        {`{"username":"_mira_"}`, "soon", "x", surgical.Beginning{Author: "_mira_", Words: "x"}},
		"nothing said":       {`{"username":"mira"}`, "2026-05-01T09:00:00Z", " \n", surgical.Beginning{Author: "mira", At: at}},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := json.Marshal(c.body)
			if err != nil {
				t.Fatal(err)
			}
			entity := json.RawMessage(fmt.Sprintf(`{"title":"T","description":%s,"author":%s,"created_at":%q,"confidential":false}`, body, c.author, c.created))
			// The second comment is listed first.
			discussion := json.RawMessage(fmt.Sprintf(`{"id":"d1","notes":[{"id":2,"body":"Later.","created_at":"2026-06-01T09:00:00Z","internal":false},{"id":1,"body":%s,"author":%s,"created_at":%q,"internal":false}]}`, body, c.author, c.created))
			attributes, err := surgical.ParseAttributes(entity)
			if err != nil {
				t.Fatal(err)
			}
			documents := []surgical.Document{}
			for _, rendered := range []func() (surgical.Document, error){
				func() (surgical.Document, error) { return render.Entity(ref, entity, attributes.Description) },
				func() (surgical.Document, error) {
					return render.Discussion(ref, render.HeadOf(attributes), discussion)
				},
			} {
				d, err := rendered()
				if err != nil {
					t.Fatal(err)
				}
				documents = append(documents, d)
			}
			for _, d := range documents {
				if diff := cmp.Diff(c.want, d.Beginning); diff != "" {
					t.Errorf("%s (-want +got):\n%s", d.ID, diff)
				}
			}
		})
	}
}

func TestBeginning_OfADiscussionWithoutCommentsSaysNothing(t *testing.T) {
	discussion := json.RawMessage(`{"id":"d1","notes":[]}`)
	d, err := render.Discussion(surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}, render.Head{Title: "T"}, discussion)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(surgical.Beginning{}, d.Beginning); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
