package cli

import "strings"

// CommandNames are the names of all commands, such as "runs list", and of the groups of
// them.
func CommandNames() ([]string, error) {
	parser, err := newParser(&commands{})
	if err != nil {
		return nil, err
	}
	var names []string
	nodes := parser.Model.Children
	for len(nodes) > 0 {
		node := nodes[0]
		nodes = append(nodes[1:], node.Children...)
		names = append(names, strings.TrimPrefix(called(node), "lore "))
	}
	return names, nil
}
