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

  Next render(Scope scope, StringBuilder text);

  /** Renders parts until one breaks off. */
  static Next renderAll(List<Node> nodes, Scope scope, StringBuilder text) {
    for (Node node : nodes) {
      Next next = node.render(scope, text);
      if (next != Next.PART) {
        return next;
      }
    }
    return Next.PART;
  }
}
