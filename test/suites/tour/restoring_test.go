package tour

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// followRestoring runs the commands of docs/restoring.md in its order, each section in a
// shell of its own after the functions of the first. The local AWS restores a table as it
// is now, and at once.
func (v *tourist) followRestoring(aws string) {
	v.Helper()
	raw, err := os.ReadFile(filepath.Join(v.dir, "docs", "restoring.md"))
	if err != nil {
		v.Fatal(err)
	}
	db := dynamodb.NewFromConfig(devstack.Config(aws))
	sections := strings.Split(string(raw), "\n## ")[1:]
	functions := v.functions() + strings.Join(callsIn(sections[0]), "\n") + `
lose() { # deletes a table, of which AWS keeps a backup; the local AWS keeps none, and does not distinguish them
  aws dynamodb create-backup --table-name "$1" --backup-name lost >/dev/null
  aws dynamodb update-table --table-name "$1" --no-deletion-protection-enabled >/dev/null
  aws dynamodb delete-table --table-name "$1" >/dev/null
}
kept() { # prints the name of a table that another stack left
  local table; table=$(out "$1")
  aws dynamodb restore-table-to-point-in-time --source-table-name "$table" --target-table-name "$table-kept" --use-latest-restorable-time >/dev/null
  echo "$table-kept"
}
trap 'echo "FAILED: $BASH_COMMAND" >&2' ERR
`
	after := map[string]func(t *testing.T, restored map[string]*types.TableDescription){
		"Let the feed read the new stream": func(t *testing.T, restored map[string]*types.TableDescription) {
			if s := restored["ContentTable"].StreamSpecification; s == nil || s.StreamViewType != types.StreamViewTypeKeysOnly {
				t.Errorf("the content table has the stream %+v", s)
			}
		},
		"If the feed table is lost": func(t *testing.T, restored map[string]*types.TableDescription) {
			checkCounters(t, db, *restored["FeedTable"].TableName)
		},
	}
	for heading := range after {
		if !strings.Contains(string(raw), "\n## "+heading+"\n") {
			v.Errorf("there is no section %q", heading)
		}
	}
	for _, command := range []string{makesFeed, restoresFeed} {
		if !strings.Contains(string(raw), command) {
			v.Errorf("there is no command %q", command)
		}
	}
	// Both ways to make the table of the feeds again begin without it.
	loses := strings.NewReplacer(makesFeed, `lose "$(out FeedTable)"; `+makesFeed, restoresFeed, `lose "$(out FeedTable)"; `+restoresFeed)
	for _, text := range sections[1:] {
		heading, text, _ := strings.Cut(text, "\n")
		feedIsNew := strings.Contains(text, makesFeed) || heading == "Use kept tables again"
		commands := regexp.MustCompile(`KEPT_(\w+)`).ReplaceAllStringFunc(loses.Replace(strings.Join(callsIn(text), "\n")), func(name string) string {
			return `"$(kept ` + pascal(strings.TrimPrefix(name, "KEPT_")) + `Table)"`
		})
		v.Run(heading, func(t *testing.T) {
			reader := *v
			reader.T = t
			out, _ := reader.shell(t.Context(), "set +e -E\n"+functions+commands+"\necho followed", "")
			if !strings.HasSuffix(out, "followed\n") || strings.Contains(out, "FAILED: ") {
				t.Fatalf("not all of it works:\n%s", out)
			}
			restored := reader.tables(db)
			for output, table := range restored {
				if output != "FeedTable" || feedIsNew {
					checkTable(t, db, *table.TableName)
				}
			}
			if check := after[heading]; check != nil {
				check(t, restored)
			}
		})
	}
}

// What the page does if the table of the feeds is lost, in either way.
const (
	makesFeed    = `aws dynamodb create-table --table-name "$(out FeedTable)"`
	restoresFeed = `backup=$(aws dynamodb list-backups --table-name "$(out FeedTable)"`
)

// tables are the tables of the stack by their outputs.
func (v *tourist) tables(db *dynamodb.Client) map[string]*types.TableDescription {
	v.Helper()
	found := map[string]*types.TableDescription{}
	for _, schema := range tables.All() {
		output := pascal(schema.Name) + "Table"
		name := strings.TrimSpace(v.must(fmt.Sprintf(`aws cloudformation describe-stacks --stack-name lorehook --output text --query "Stacks[0].Outputs[?OutputKey=='%s'].OutputValue"`, output)))
		table, err := db.DescribeTable(v.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			v.Fatal(err)
		}
		found[output] = table.Table
	}
	return found
}

// checkTable checks that a table expires and can be restored again.
func checkTable(t *testing.T, db *dynamodb.Client, name string) {
	t.Helper()
	expiry, err := db.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	recovery, err := db.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if got := expiry.TimeToLiveDescription; got.TimeToLiveStatus != types.TimeToLiveStatusEnabled || *got.AttributeName != tables.ExpiresAt {
		t.Errorf("%s expires: %+v", name, got)
	}
	if got := recovery.ContinuousBackupsDescription.PointInTimeRecoveryDescription; got.PointInTimeRecoveryStatus != types.PointInTimeRecoveryStatusEnabled {
		t.Errorf("%s can be restored: %+v", name, got)
	}
}

// checkCounters checks that no place in a feed from before is valid.
func checkCounters(t *testing.T, db *dynamodb.Client, table string) {
	t.Helper()
	for _, feed := range []string{"entities", "documents"} {
		row, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: map[string]types.AttributeValue{
			"feed": &types.AttributeValueMemberS{Value: feed}, "number": &types.AttributeValueMemberN{Value: "0"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, counter := range []string{"epoch", "last"} {
			number, _ := row.Item[counter].(*types.AttributeValueMemberN)
			if number == nil {
				t.Errorf("the feed %s has no %s: %v", feed, counter, row.Item)
				continue
			}
			if n, err := strconv.ParseInt(number.Value, 10, 64); err != nil || n < 1_000_000_000 {
				t.Errorf("the feed %s has the %s %s", feed, counter, number.Value)
			}
		}
	}
}

// pascal turns SYNC_RUNS and sync_runs into SyncRuns.
func pascal(name string) string {
	var all strings.Builder
	for word := range strings.SplitSeq(strings.ToLower(name), "_") {
		all.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return all.String()
}
