package dev.sparkmla.grammar;

import com.fasterxml.jackson.databind.JsonNode;

/** The types of JSON values. An integer is a number. */
enum JsonType {
  OBJECT,
  ARRAY,
  STRING,
  NUMBER,
  BOOLEAN,
  NULL;

  /** The type of a value. */
  static JsonType of(JsonNode value) {
    return switch (value.getNodeType()) {
      case OBJECT, POJO -> OBJECT;
      case ARRAY -> ARRAY;
      case STRING, BINARY -> STRING;
      case NUMBER -> NUMBER;
      case BOOLEAN -> BOOLEAN;
      case NULL, MISSING -> NULL;
    };
  }
}
