// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"

#include <QWidget>

#include <functional>
#include <map>
#include <string>

class QFormLayout;

namespace tamis::views {

/// A form built from a schema: slider and spin box for numbers, combo box for choices, check box, line edit. Each control's
/// objectName is the parameter's name; its slider's is name + "-slider".
class ParameterEditor : public QWidget
{
    Q_OBJECT
public:
    explicit ParameterEditor(QWidget* parent = nullptr);
    ~ParameterEditor() override;
    /// Builds the form; values are the defaults.
    void setSchema(const ParameterSchema& schema);
    /// Shows values without emitting. Unknown names are ignored, and so is the value of a slider that is being dragged.
    void setValues(const Parameters& values);
    Parameters values() const { return m_values; }
    /// A sentence that begins with the name of a text is shown below its field; any other, and an empty one, below none. Whether it is shown.
    bool setProblem(const QString& sentence);

signals:
    /// `finished` is false while a slider is being dragged.
    void valueEdited(const QString& name, const tamis::ParameterValue& value, bool finished);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void addRow(const ParameterSpec& spec);
    QWidget* textControl(const ParameterSpec& spec);
    QWidget* numberControl(const ParameterSpec& spec);
    QWidget* choiceControl(const ParameterSpec& spec);
    void edited(const std::string& name, ParameterValue value, bool finished);

    ParameterSchema m_schema;
    Parameters m_values;
    QWidget* m_form = nullptr;
    std::map<std::string, std::function<void(const ParameterValue&)>> m_show; ///< writes a value into its controls
    bool m_showing = false;
    std::string m_dragged; ///< name of the parameter whose slider is held
};

} // namespace tamis::views
