package dev.sparkmla.text.jinja;

import java.util.Map;

/**
 * What namespace() makes: the one value whose attributes a template may set.
 *
 * @param values its attributes, mutable
 */
record Namespace(Map<String, Object> values) {}
