package dev.sparkmla.text.jinja;

/** A function that templates can call. One that several renderings share must be thread-safe. */
@FunctionalInterface
public interface Callable {
  /**
   * Calls the function.
   *
   * @param arguments the call's arguments, not bound yet @return a value as {@link Template}
   *     describes @throws TemplateException when the function fails or refuses the arguments
   */
  Object call(Arguments arguments);
}
