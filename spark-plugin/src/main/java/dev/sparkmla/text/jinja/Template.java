package dev.sparkmla.text.jinja;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A parsed template. Its values are Python's: null is None, {@link Boolean} is bool, {@link Long}
 * is int, {@link Double} is float, {@link String} is str, {@link List} is list, {@link Map} is
 * dict, and a {@link Callable} is a function. Immutable and thread-safe.
 */
public final class Template {
  /** In characters: some hundred times the longest published template. */
  private static final int LONGEST = 4 << 20;

  private final List<Node> nodes;

  private Template(List<Node> nodes) {
    this.nodes = nodes;
  }

  /**
   * Parses a template.
   *
   * @throws TemplateException when it cannot be parsed; the message names the line and the problem
   */
  public static Template parse(String source) {
    if (source.length() > LONGEST) {
      throw TemplateException.fault(
          "has " + source.length() + " characters; expected at most " + LONGEST);
    }
    return new Template(new Parser(Lexer.tokens(source)).parseAll());
  }

  /**
   * Reads a JSON text as a value for templates.
   *
   * @throws TemplateException when it is not JSON, or exceeds the limits of a rendering
   */
  public static Object value(String json) {
    return Json.read(json, new Budget());
  }

  /**
   * Renders the template, within limits of steps, text and depth.
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
