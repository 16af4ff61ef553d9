package dev.sparkmla.text.jinja;

import java.util.List;
import java.util.Map;

/** A function that a template calls. */
@FunctionalInterface
public interface Callable {
  /**
   * Calls it.
   *
   * @param arguments by position
   * @param named by name
   */
  Object call(List<Object> arguments, Map<String, Object> named);
}
