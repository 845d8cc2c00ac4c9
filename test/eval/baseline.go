package eval

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// BaselineFile is where the baseline is, from the module root.
const BaselineFile = "test/eval/baseline.txt"

// heading explains the file.
const heading = "# make eval UPDATE=1 writes this file: nDCG@10 of each query in per cent, after set, ranking, and a checksum of the queries.\n"

// Baseline returns the results as one line for each set and ranking.
func Baseline(results []Result) []byte {
	out := bytes.NewBufferString(heading)
	for _, set := range Sets(results) {
		all := of(results, set)
		for _, ranking := range Rankings() {
			fmt.Fprint(out, set, " ", ranking, " ", checksum(all))
			for _, r := range all {
				fmt.Fprint(out, " ", percent(r.Scores[ranking].NDCG))
			}
			fmt.Fprintln(out)
		}
	}
	return out.Bytes()
}

func percent(ndcg float64) int { return int(math.Round(100 * ndcg)) }

// checksum tells other queries, or another order of them, from these.
func checksum(results []Result) string {
	h := sha256.New()
	for _, r := range results {
		fmt.Fprintf(h, "%s\x00%q\x00", r.ID, r.Relevant)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:4])
}

// Change is the difference of nDCG@10 between a baseline and the results.
type Change struct {
	Set, Ranking string
	Interval
}

// Compare returns the changes of each set and ranking since the baseline. The error
// says if it is not of the same queries.
func Compare(baseline []byte, results []Result) ([]Change, error) {
	before, err := parseBaseline(baseline)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, set := range Sets(results) {
		all := of(results, set)
		for _, ranking := range Rankings() {
			was, ok := before[set+" "+ranking+" "+checksum(all)]
			if !ok || len(was) != len(all) {
				return nil, fmt.Errorf("it has no %s of the %d queries of the set %s", ranking, len(all), set)
			}
			differences := make([]float64, len(all))
			for i, r := range all {
				differences[i] = float64(percent(r.Scores[ranking].NDCG)-was[i]) / 100
			}
			changes = append(changes, Change{set, ranking, Bootstrap(differences)})
		}
	}
	if len(changes) != len(before) {
		return nil, fmt.Errorf("it has %d rankings of sets, measured were %d", len(before), len(changes))
	}
	return changes, nil
}

// parseBaseline returns the figures by set, ranking and checksum.
func parseBaseline(baseline []byte) (map[string][]int, error) {
	before := map[string][]int{}
	lines := bufio.NewScanner(bytes.NewReader(baseline))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0 || fields[0] == "#":
			continue
		case len(fields) < 4:
			return nil, fmt.Errorf("line %d: want set, ranking, checksum and figures", n)
		}
		figures := make([]int, len(fields)-3)
		for i, field := range fields[3:] {
			var err error
			if figures[i], err = strconv.Atoi(field); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		before[strings.Join(fields[:3], " ")] = figures
	}
	return before, lines.Err()
}

// Sets returns the sets of the results, in the order of their first queries.
func Sets(results []Result) []string {
	var sets []string
	seen := map[string]bool{}
	for _, r := range results {
		if !seen[r.Set] {
			seen[r.Set] = true
			sets = append(sets, r.Set)
		}
	}
	return sets
}
