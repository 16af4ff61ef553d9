package dev.sparkmla.text.jinja;

/** A function that a template calls. */
@FunctionalInterface
public interface Callable {
  /** Calls it. */
  Object call(Arguments arguments);
}
