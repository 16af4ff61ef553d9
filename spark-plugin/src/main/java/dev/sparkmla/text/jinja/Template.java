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
    return new Template(new Parser(Lexer.tokens(source)).parseAll());
  }

  /**
   * Renders it.
   *
   * @param values variables and functions by name
   * @throws TemplateException when the template fails on the values or refuses them
   */
  public String render(Map<String, Object> values) {
    Map<String, Object> variables = new HashMap<>(Functions.GLOBALS);
    variables.putAll(values);
    StringBuilder text = new StringBuilder();
    Node.renderAll(nodes, new Scope(variables).inner(), text);
    return text.toString();
  }
}
