package dev.sparkmla.text.jinja;

/**
 * The value of a name that has none: prints as nothing, holds no items, is false; anything else
 * done with it fails.
 *
 * @param name what was looked up
 */
record Undefined(String name) {
  TemplateException failure() {
    return TemplateException.fault("'" + name + "' is undefined");
  }
}
