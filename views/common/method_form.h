// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"

#include <QString>
#include <QWidget>

#include <vector>

class QComboBox;
class QLabel;
class QPushButton;
class QVBoxLayout;

namespace tamis::views {

class ParameterEditor;

/// A method of a lab as its views name it.
struct OfferedMethod {
    QString id, title, reference;
    bool trains = false; ///< takes minutes: started by hand
    QString unavailable; ///< why it cannot run now; empty: it can
    ParameterSchema schema;
};

/// A lab's settings in a column: the method, where it is from, its parameters, and the button that trains it. Edits are told at once; what is
/// shown is what the owner sets. Who derives from it adds the lab's own above and below.
class MethodForm : public QWidget {
    Q_OBJECT
public:
    void setMethods(const std::vector<OfferedMethod>& methods);          ///< keeps the method that is chosen
    void setChoice(const QString& method, const Parameters& parameters); ///< without a signal; `parameters` may be incomplete
    void setTrainReason(const QString& reason); ///< why the method cannot be trained now; empty: it can
    QString method() const;
    bool setProblem(const QString& sentence); ///< as ParameterEditor's

signals:
    void methodEdited(const QString& method);
    void parameterEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void trainRequested();

protected:
    /// Object names of the controls, and what training does, in words.
    struct Names {
        QString method, reference, parameters, train, trainHelp;
    };
    MethodForm(const Names& names, QWidget* parent);
    QVBoxLayout* column() const { return m_column; }
    void addMethod(); ///< at the column's end; once, while constructing

private:
    const OfferedMethod* chosen() const;
    void showMethod();

    Names m_names;
    std::vector<OfferedMethod> m_methods;
    QString m_schemaOf; ///< method whose schema the editor has
    QVBoxLayout* m_column;
    QComboBox* m_method = nullptr;
    QLabel* m_reference = nullptr;
    ParameterEditor* m_parameters = nullptr;
    QPushButton* m_train = nullptr;
};

} // namespace tamis::views
