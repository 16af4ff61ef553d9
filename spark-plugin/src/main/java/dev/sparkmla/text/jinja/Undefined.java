package dev.sparkmla.text.jinja;

/**
 * The value of a name that is not defined, as Jinja2 has it: prints as an empty text, has no items
 * and is false. Other uses are errors.
 *
 * @param name the name that was looked up
 */
record Undefined(String name) {
  TemplateException failure() {
    return TemplateException.fault("'" + name + "' is undefined");
  }
}
