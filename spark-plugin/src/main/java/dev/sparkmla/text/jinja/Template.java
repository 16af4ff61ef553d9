package dev.sparkmla.text.jinja;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A parsed template. Values are Python's: null is None; {@link Boolean}, {@link Long}, {@link
 * Double}, {@link String}, {@link List} and {@link Map} are what they are called; a {@link
 * Callable} can be called. Immutable and thread-safe.
 */
public final class Template {
  /** Some hundred times what the longest published one has. */
  private static final int LONGEST = 4 << 20;

  private final List<Node> nodes;

  private Template(List<Node> nodes) {
    this.nodes = nodes;
  }

  /**
   * Parses a template.
   *
   * @throws TemplateException naming the line and the problem
   */
  public static Template parse(String source) {
    if (source.length() > LONGEST) {
      throw TemplateException.fault(
          "has " + source.length() + " characters; expected at most " + LONGEST);
    }
    return new Template(new Parser(Lexer.tokens(source)).parseAll());
  }

  /**
   * A JSON text as the value that it stands for in templates.
   *
   * @throws TemplateException when it is none, or goes deeper or grows larger than values may
   */
  public static Object value(String json) {
    return Json.read(json, new Budget());
  }

  /**
   * Renders it, within limits of steps, text and depth.
   *
   * @param values variables and functions by name
   * @throws TemplateException when the template fails on the values, refuses them or exceeds a
   *     limit
   * @throws java.util.concurrent.CancellationException when the thread is interrupted
   */
  public String render(Map<String, Object> values) {
    Map<String, Object> variables = new HashMap<>(Functions.GLOBALS);
    variables.putAll(values);
    return Node.text(nodes, new Scope(variables, new Budget()).inner());
  }
}
