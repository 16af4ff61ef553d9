package dev.sparkmla.text;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.PrettyPrinter;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.MinimalPrettyPrinter;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import java.io.IOException;

/** {@code tojson} as transformers gives it to templates: Python's spacing, no escapes for HTML. */
final class ToJsonFilter implements Filter {
  @Override
  public String getName() {
    return "tojson";
  }

  @Override
  public Object filter(Object value, JinjavaInterpreter interpreter, String... arguments) {
    try {
      return TextFiles.JSON.writer(printer(arguments)).writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new TemplateFunctions.RaisedException("tojson cannot write " + value);
    }
  }

  private static PrettyPrinter printer(String... arguments) {
    if (arguments.length == 0) {
      return new PythonSpacing();
    }
    String indent = arguments[0].substring(arguments[0].indexOf('=') + 1).strip();
    DefaultIndenter indenter = new DefaultIndenter(" ".repeat(Integer.parseInt(indent)), "\n");
    DefaultPrettyPrinter printer = new IndentedSpacing();
    printer.indentArraysWith(indenter);
    printer.indentObjectsWith(indenter);
    return printer;
  }

  /** A space after commas and colons. */
  private static final class PythonSpacing extends MinimalPrettyPrinter {
    private static final long serialVersionUID = 1L;

    @Override
    public void writeObjectEntrySeparator(JsonGenerator generator) throws IOException {
      generator.writeRaw(", ");
    }

    @Override
    public void writeObjectFieldValueSeparator(JsonGenerator generator) throws IOException {
      generator.writeRaw(": ");
    }

    @Override
    public void writeArrayValueSeparator(JsonGenerator generator) throws IOException {
      generator.writeRaw(", ");
    }
  }

  /** A space after colons alone. */
  private static final class IndentedSpacing extends DefaultPrettyPrinter {
    private static final long serialVersionUID = 1L;

    @Override
    public DefaultPrettyPrinter createInstance() {
      return this;
    }

    @Override
    public void writeObjectFieldValueSeparator(JsonGenerator generator) throws IOException {
      generator.writeRaw(": ");
    }
  }
}
