// Runs before plotly. The page's policy forbids style attributes, which is how plotly sizes and colours what it draws;
// setting the same declarations as properties is allowed and looks the same.
"use strict";
(() => {
  const plain = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style" && this.style) {
      this.style.cssText = value;
    } else {
      plain.call(this, name, value);
    }
  };
})();
