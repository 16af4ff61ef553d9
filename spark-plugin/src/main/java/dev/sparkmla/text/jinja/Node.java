package dev.sparkmla.text.jinja;

import java.util.List;

/** A part of a template that writes text. */
@FunctionalInterface
interface Node {
  /** What follows in the template after a part of it. */
  enum Next {
    /** The next part. */
    PART,
    /** The next turn of the loop around it. */
    TURN,
    /** What follows the loop around it. */
    AFTER_LOOP
  }

  Next render(Scope scope, Output output);

  /** Renders parts, a level deeper, until one breaks off. */
  static Next renderAll(List<Node> nodes, Scope scope, Output output) {
    scope.budget().enter();
    Next next = Next.PART;
    for (int i = 0; i < nodes.size() && next == Next.PART; i++) {
      next = nodes.get(i).render(scope, output);
    }
    scope.budget().leave();
    return next;
  }

  /** Renders parts into a text of their own. */
  static String text(List<Node> nodes, Scope scope) {
    Output output = new Output(scope.budget());
    renderAll(nodes, scope, output);
    return output.toString();
  }

  /** A part whose faults name its line, unless a part inside of it has named its own. */
  static Node atLine(int line, Node node) {
    return (scope, output) -> {
      try {
        return node.render(scope, output);
      } catch (TemplateException e) {
        throw e.atLine(line);
      }
    };
  }
}
